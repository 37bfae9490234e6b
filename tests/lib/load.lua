-- load.lua: what wrk sends, for tests/bench and tests/load.
--
--     wrk -s load.lua URL -- KIND MARK [CHAT [OFFSET [MESSAGES]]]
--
-- KIND is list, send, create, mixed, page, reads, list-many, send-many or body. MARK makes the users of one run different
-- from those of all others. OFFSET of `page` is a number, or "random": anywhere in MESSAGES. For `list-many` and
-- `send-many` CHAT is a format such as "chat-%06d", of which chats 1 to OFFSET are taken at random; for `body` it is the
-- request itself. At the end it prints one line of figures for load.py.

local kind, mark, chat, offset, messages
local count = 0
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

local function list()
    return '{"chat_id":"' .. chat .. '"}'
end

local function send()
    return '{"chat_id":"' .. chat .. '","author_id":"jane","text":"' .. string.rep("x", 100) .. '"}'
end

local function create()
    count = count + 1
    return string.format('{"user_ids":["jane","john %s %d %d"]}', mark, number, count)
end

local function page()
    local at = offset == "random" and math.random(0, messages - 25) or offset
    return string.format('{"chat_id":"%s","offset":%d}', chat, at)
end

-- Requests that differ in the chat only: made once, and cut where its name stands. All names are of one length.
local function of_many(body)
    local pattern, chats = chat, tonumber(offset)
    chat = string.format(pattern, 1)
    local whole = wrk.format(nil, nil, nil, body())
    local from, to = whole:find(chat, 1, true)
    local head, tail = whole:sub(1, from - 1), whole:sub(to + 1)
    math.randomseed(tonumber(mark) or 1)
    request = function() return head .. string.format(pattern, math.random(1, chats)) .. tail end
end

function init(args)
    kind, mark, chat, offset = args[1], args[2], args[3], args[4]
    messages = tonumber(args[5])
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    if kind == "list" or kind == "send" or (kind == "page" and offset ~= "random") then
        wrk.body = (kind == "list" and list or kind == "send" and send or page)()
    elseif kind == "body" then
        wrk.body = chat
    elseif kind == "list-many" or kind == "send-many" then
        of_many(kind == "list-many" and list or send)
    elseif kind == "create" then
        request = function() return wrk.format(nil, nil, nil, create()) end
    elseif kind == "page" then
        math.randomseed(1)
        request = function() return wrk.format(nil, nil, nil, page()) end
    elseif kind == "mixed" then
        -- The URL ends at the service's mount. Of ten calls one creates, three send, six list.
        local base, turn = wrk.path, 0
        local path = { create = base .. "/CreateChat", send = base .. "/SendMessage", list = base .. "/ListMessages" }
        local sending = wrk.format(nil, path.send, nil, send())
        local listing = wrk.format(nil, path.list, nil, list())
        request = function()
            turn = turn + 1
            if turn % 10 == 0 then
                return wrk.format(nil, path.create, nil, create())
            end
            return turn % 3 == 0 and sending or listing
        end
    elseif kind == "reads" then
        -- The URL ends at the service's mount. Of five calls one sends, four list.
        local turn = 0
        local sending = wrk.format(nil, wrk.path .. "/SendMessage", nil, send())
        local listing = wrk.format(nil, wrk.path .. "/ListMessages", nil, list())
        request = function()
            turn = turn + 1
            return turn % 5 == 0 and sending or listing
        end
    else
        error("load.lua: no kind '" .. tostring(kind) .. "'")
    end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %.0f %.0f %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.status, e.connect, e.read, e.write, e.timeout))
end
