-- Internal: Bursar's own, not part of the public protocol.
--
-- Moves the guards that refund_untracked.lua left in meta to `done`, once the ledger says that these refunds are done.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 done window   whole seconds, 1 to 31536000
--        then message_id, any number of them
-- Reply  how many guards were moved (integer)
--
-- In `done` a guard outlives every request for its refund that is still on its way, and is forgotten with its generation, one to two
-- done windows later. It stands there as `refund <message_id>` with <outcome>:<amount>:0.
--
-- Errors, all before the first write: BURSAR for a wrong number of keys or a bad done window; WRONGTYPE where a key is of another type.
-- Memory is freed before it is used, so it works when Redis is full.

local AMOUNT_MAX = 9007199254740991
local WINDOW_MAX = 31536000
local CHUNK = 1000 -- Lua's unpack is limited to some 7,000 values

-- The value of a canonical decimal from `least` to AMOUNT_MAX, else nil.
local function parse(text, least)
    if #text > 16 or not (text == '0' or text:find('^[1-9]%d*$')) then return nil end
    local value = tonumber(text)
    if value < least or value > AMOUNT_MAX then return nil end
    return value
end

local function refuse(why)
    return redis.error_reply('BURSAR forget_guard: ' .. why)
end

-- Calls a command on `key` with all of `words`, in chunks of an even size, so that field and value stay together.
local function call_in_chunks(command, key, words)
    for first = 1, #words, 2 * CHUNK do
        redis.call(command, key, unpack(words, first, math.min(first + 2 * CHUNK - 1, #words)))
    end
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
local done_keys, meta_key = {[0] = KEYS[3], [1] = KEYS[4]}, KEYS[5]
local window = parse(ARGV[1] or '', 1)
if not window or window > WINDOW_MAX then return refuse('the done window is not whole seconds from 1 to 31536000') end

local guards, moved, seen = {}, {}, {}
for first = 2, #ARGV, CHUNK do
    local asked = {}
    for i = first, math.min(first + CHUNK - 1, #ARGV) do asked[#asked + 1] = 'refund ' .. ARGV[i] end
    local values = redis.call('HMGET', meta_key, unpack(asked))
    for n, guard in ipairs(asked) do
        if values[n] and not seen[guard] then
            seen[guard] = true
            guards[#guards + 1] = guard
            moved[#moved + 1] = guard
            moved[#moved + 1] = values[n] .. ':0'
        end
    end
end
if #guards == 0 then return 0 end

local meta = redis.call('HMGET', meta_key, 'gen', 'gen_started_us')
redis.call('HLEN', done_keys[0]) -- WRONGTYPE is to be seen now, not after the first write
redis.call('HLEN', done_keys[1])

call_in_chunks('HDEL', meta_key, guards)

-- Generations: once the current one is a done window old, the other one is dropped and takes over.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local generation = meta[1] == '1' and 1 or 0
local started = parse(meta[2] or '', 0)
local age = started and now - started
if not age or age < 0 or age >= window * 1000000 then -- below 0: Redis's clock was set back
    if age and age >= 2 * window * 1000000 then redis.call('UNLINK', done_keys[generation]) end
    if age and age >= 0 then
        generation = 1 - generation
        redis.call('UNLINK', done_keys[generation])
    end
    redis.call('HSET', meta_key, 'gen', generation, 'gen_started_us', string.format('%.0f', now))
end

call_in_chunks('HSET', done_keys[generation], moved)
return #guards
