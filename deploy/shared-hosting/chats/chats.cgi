#!/bin/sh
# chats as plain CGI, for hosts without mod_fcgid and for long calls: the same program. The server starts this in its own folder.
exec ./chats.fcgi
