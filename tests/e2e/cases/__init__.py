"""The cases, by what they are about. Importing the package adds them all to lib.suite.CASES."""

from cases import access, accounts, addresses, bodies, chats, fields, json_refusals, lists, logins, messages, metrics, openapi, origins, pages, replies, tenants

__all__ = [
    "access",
    "accounts",
    "addresses",
    "bodies",
    "chats",
    "fields",
    "json_refusals",
    "lists",
    "logins",
    "messages",
    "metrics",
    "openapi",
    "origins",
    "pages",
    "replies",
    "tenants",
]
