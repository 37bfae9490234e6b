"""The cases, by what they are about. Importing the package adds them all to lib.suite.CASES."""

from cases import addresses, bodies, chats, fields, json_refusals, lists, messages, origins, replies, tenants

__all__ = [
    "addresses",
    "bodies",
    "chats",
    "fields",
    "json_refusals",
    "lists",
    "messages",
    "origins",
    "replies",
    "tenants",
]
