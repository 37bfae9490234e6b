"""What the end-to-end suites share: homes, servers, a raw HTTP client, the list of cases."""
