-- load.lua: what wrk sends, for tests/bench and tests/load.
--
--     wrk -s load.lua URL -- KIND MARK [CHAT [OFFSET [MESSAGES]]]
--
-- KIND is list, send, create, mixed or page. MARK makes the users of one run different from those of all others. OFFSET of
-- `page` is a number, or "random": anywhere in MESSAGES. At the end it prints one line of figures for load.py.

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

function init(args)
    kind, mark, chat, offset = args[1], args[2], args[3], args[4]
    messages = tonumber(args[5])
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    if kind == "list" or kind == "send" or (kind == "page" and offset ~= "random") then
        wrk.body = (kind == "list" and list or kind == "send" and send or page)()
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
    else
        error("load.lua: no kind '" .. tostring(kind) .. "'")
    end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %.0f %.0f %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.status, e.connect, e.read, e.write, e.timeout))
end
