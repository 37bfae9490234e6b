#!/usr/bin/env bash
# The servers that deploy/quickstart can start: how each is configured, started and ended. Read by quickstart, which has
# set home, port, url, folder (in the home, the server's own), socket (its name, in that folder), top, build, become,
# put and as_owner.
#
# shellcheck disable=SC2016,SC2154 # $1 is an inner shell's; quickstart sets the names above

server_names="lighttpd lighttpd-cgi apache apache-proxy apache-cgi nginx"

# Apache refuses to serve as root, and nginx's workers never do: root starts them as an ordinary user.
server_wants_user() { [[ $1 != lighttpd* ]]; }

# --- one function a server. Each says
#
#   packages   what Debian 12 has it in, beside what deploy/packages names
#   files      its configuration in deploy/: the file for chats, then the whole server around it
#   command    what runs it, in the foreground
#   graceful   the signal after which it finishes what it has begun, and ends
#   keeper     what keeps the program's worker on the socket, where the server does not start the program itself

server_choose() {
    program=$folder/bin/chats.fcgi keeper=()
    "server_${1//-/_}"
}

server_lighttpd() {
    packages=(lighttpd)
    # Where nobody else has to read it: lighttpd divides the name at spaces, which the home's may have.
    [ ${#become[@]} -gt 0 ] || program=$build/cgi-bin/chats.fcgi
    files=(lighttpd/chats-fastcgi.conf lighttpd/server.conf)
    command=(lighttpd -D -f "$folder/server.conf")
    graceful=INT
}

server_lighttpd_cgi() {
    server_lighttpd
    files[0]=lighttpd/chats-cgi.conf
}

server_apache() {
    packages=(apache2-bin libapache2-mod-fcgid)
    files=(apache/chats-fcgid.conf apache/server.conf)
    command=(apache2 -DFOREGROUND -f "$folder/server.conf")
    graceful=WINCH
}

server_apache_proxy() {
    server_apache
    packages=(apache2-bin spawn-fcgi)
    files[0]=apache/chats-proxy-fcgi.conf
    keep_worker
}

server_apache_cgi() {
    server_apache
    packages=(apache2-bin)
    files[0]=apache/chats-cgid.conf
    program=$folder/bin/chats.cgi # the name that the file knows
}

server_nginx() {
    # shellcheck disable=SC2034 # quickstart installs them
    packages=(nginx spawn-fcgi)
    files=(nginx/chats.conf nginx/server.conf)
    command=(nginx -e "$folder/nginx.log" -g 'daemon off;' -c "$folder/server.conf")
    graceful=QUIT
    keep_worker
}

# As deploy/systemd does it: the socket stays, and the worker, which finds it at descriptor 0, is started again whenever
# it ends. Requests wait meanwhile.
keep_worker() {
    keeper=(env CHATS_HOME="$home" spawn-fcgi -n -s "$socket" --
        /bin/sh -c 'while :; do "$1"; sleep 1 </dev/null; done' sh "$program")
}

# --- the server's folder

# The file $1 of deploy/, with the lines filled in that a person would edit: `var.NAME = ...`, `Define NAME ...`,
# `set $NAME ...;`, and, where nginx takes no variables, the folder and the port themselves.
fill() {
    local line setting name value
    while IFS= read -r line; do
        for setting in chats_program="$program" chats_home="$home" chats_socket="$socket" chats_web="$folder/web" \
            server_port="$port" server_folder="$folder" server_chats="$(basename "${files[0]}")"; do
            name=${setting%%=*} value=\"${setting#*=}\"
            [ "$name" != server_port ] || value=$port
            case $line in
            "var.$name "*) line="var.$name = $value" ;;
            "Define $name "*) line="Define $name $value" ;;
            "set \$$name "*) line="set \$$name $value;" ;;
            esac
        done
        if [[ $1 == nginx/* ]]; then
            line=${line//"/var/lib/chats/server"/"$folder"}
            line=${line//"127.0.0.1:8080"/"127.0.0.1:$port"}
        fi
        printf '%s\n' "$line"
    done <"$top/deploy/$1"
}

# Program and pages, which the server's user may not be allowed to read where they are, and the configuration.
fill_folder() {
    local file name
    as_owner mkdir -p "$folder/bin" "$folder/web"
    if [ "$program" != "$build/cgi-bin/chats.fcgi" ]; then
        put "$program" <"$build/cgi-bin/chats.fcgi"
        as_owner chmod 700 "$program"
    fi
    for file in "$top"/src/web/*; do
        name=${file##*/}
        put "$folder/web/$name" <"$file"
    done
    for file in "${files[@]}"; do
        fill "$file" | put "$folder/${file##*/}"
    done
    # Of one that was killed; Apache would not start where another process has that number now.
    as_owner rm -f "$folder/apache.pid"
}

# --- its processes

# pid: the server's process id, empty if the one that was started on this home does not run; found: which server it is.
find_server() {
    pid='' found=''
    { read -r pid found <"$folder/server.pid"; } 2>/dev/null || true
    [[ " $server_names " == *" ${found:-none} "* ]] || pid=''
    grep -qsF -e "$folder/server.conf" "/proc/${pid:-none}/cmdline" || pid=''
}

# The process ids of all that was started on this home, whoever lives of it: their standard error is a log in the folder.
processes() {
    local process log
    for process in /proc/[0-9]*; do
        for log in "$folder/output" "$folder"/*.log; do
            [ ! "$process/fd/2" -ef "$log" ] || printf '%s\n' "${process#/proc/}"
        done
    done
}

# True once none of these processes runs, within $1 tenths of a second.
gone() {
    local tenths=$1 pid left
    shift
    while :; do
        left=
        for pid in "$@"; do
            ! grep -qs '^State:[[:space:]]*[RSDTtKWPI]' "/proc/$pid/status" || left=$pid
        done
        [ -n "$left" ] || return 0
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# send SIGNAL PID...
send() { as_owner sh -c 'signal=$1 && shift && kill -s "$signal" "$@"' sh "$@" 2>/dev/null || true; }

# Ends the server, then the program and what keeps it: requests that run are finished. Whoever has hung for longer than
# the program itself allows is killed.
stop_server() {
    local left
    if [ -n "$pid" ]; then
        send "$graceful" "$pid"
        gone 50 "$pid" || true
    fi
    mapfile -t left < <(processes)
    if [ ${#left[@]} -gt 0 ]; then
        send TERM "${left[@]}"
        gone 250 "${left[@]}" || send KILL "${left[@]}"
        gone 50 "${left[@]}" || die "of the processes ${left[*]} one does not end"
    fi
    as_owner rm -f "$folder/server.pid" "$home/quickstart.env"
}

# in_background OUTPUT COMMAND...: in a session of its own, so that Ctrl-C reaches this script alone, which ends all in
# good order. $! is its process id then.
in_background() {
    "${become[@]}" setsid sh -c 'cd / && output=$1 && shift && exec "$@" </dev/null >"$output" 2>&1' sh "$@" &
}

# Until it answers.
start_server() {
    local tenths=150
    stop_server # what an earlier one has left: it was killed
    pid=''
    fill_folder
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || die "port $port is taken: say another with --port"
    if [ ${#keeper[@]} -gt 0 ]; then
        in_background "$folder/worker.log" "${keeper[@]}"
        disown # so that bash does not tell its end
    fi
    in_background "$folder/output" "${command[@]}"
    pid=$!
    printf '%s %s\n' "$pid" "$server" | put "$folder/server.pid"
    until curl -fs --noproxy '*' -o /dev/null -m 5 "$url/chats/Health" 2>/dev/null; do
        if ! [ -d "/proc/$pid/fd" ] || [ $tenths = 0 ]; then
            as_owner tail -qn 5 "$folder/output" "$folder"/*.log >&2 || true
            stop_server
            die "the service did not start; the last lines of its logs are above"
        fi
        tenths=$((tenths - 1))
        sleep 0.1
    done
}
