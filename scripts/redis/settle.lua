-- Clears pending deductions that are booked in the ledger.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 done window: whole seconds, 1 to 31536000
--        then for each deduction:
--          message_id       1 to 128 visible ASCII characters, '!' to '~'
--          deducted_at_us   the token that deduct.lua gave: canonical decimal, 1 to 9007199254740991
-- Reply  how many pending entries this call cleared (integer)
--
-- An item whose id is not pending, or pending with another token, changes nothing; an id that stands twice counts once. Each
-- cleared entry moves to the current generation of `done` as settled:<amount>:<deducted_at_us>, and `settled` in meta grows.
-- Made for up to 10,000 items a call.
--
-- Errors, all before the first write: BURSAR for a bad argument, or where a key holds what these scripts never write; WRONGTYPE
-- where a key is of another type. Memory is freed before it is used, so it works when Redis is full.

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

local function is_id(text)
    return #text <= 128 and text:find('^[!-~]+$') ~= nil
end

local function refuse(why)
    return redis.error_reply('BURSAR settle: ' .. why)
end

-- Calls a command on `key` with all of `words`, in chunks of an even size, so that field and value stay together.
local function call_in_chunks(command, key, words)
    for first = 1, #words, 2 * CHUNK do
        redis.call(command, key, unpack(words, first, math.min(first + 2 * CHUNK - 1, #words)))
    end
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV % 2 ~= 1 then return refuse('expected the done window, then message_id and deducted_at_us of each deduction') end
local pending_key, done_keys, meta_key = KEYS[2], {[0] = KEYS[3], [1] = KEYS[4]}, KEYS[5]
local window = parse(ARGV[1], 1)
if not window or window > WINDOW_MAX then return refuse('the done window is not whole seconds from 1 to 31536000') end
for i = 2, #ARGV, 2 do
    if not is_id(ARGV[i]) then
        return refuse('message_id of item ' .. i / 2 .. ' is not 1 to 128 visible ASCII characters')
    end
    if not parse(ARGV[i + 1], 1) then
        return refuse('deducted_at_us of item ' .. i / 2 .. ' is no canonical integer from 1 to 2^53-1')
    end
end
if #ARGV == 1 then return 0 end

local ids, finished, seen, sum = {}, {}, {}, 0
for first = 2, #ARGV, 2 * CHUNK do
    local asked = {}
    for i = first, math.min(first + 2 * CHUNK, #ARGV) - 1, 2 do asked[#asked + 1] = ARGV[i] end
    local entries = redis.call('HMGET', pending_key, unpack(asked))
    for n, id in ipairs(asked) do
        local entry = entries[n]
        local amount, token = (entry or ''):match('^(%d+):(%d+)$')
        if token == ARGV[first + 2 * n - 1] and not seen[id] then
            local value = parse(amount, 1)
            if not value then return refuse('a pending entry holds no amount from 1 to 2^53-1') end
            seen[id] = true
            sum = sum + value
            if sum > AMOUNT_MAX then return refuse('the pending amounts sum up to more than 2^53-1') end
            ids[#ids + 1] = id
            finished[#finished + 1] = id
            finished[#finished + 1] = 'settled:' .. entry
        end
    end
end
if #ids == 0 then return 0 end

local meta = redis.call('HMGET', meta_key, 'settled', 'gen', 'gen_started_us')
local settled = parse(meta[1] or '0', 0)
if not settled or settled + sum > AMOUNT_MAX then
    return refuse('the running total `settled` in meta is no integer, or would pass 2^53-1')
end
redis.call('HLEN', done_keys[0]) -- WRONGTYPE is to be seen now, not after the first write
redis.call('HLEN', done_keys[1])

call_in_chunks('HDEL', pending_key, ids)

-- Generations: once the current one is a done window old, the other one is dropped and takes over.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local generation = meta[2] == '1' and 1 or 0
local started = parse(meta[3] or '', 0)
local age = started and now - started
if not age or age < 0 or age >= window * 1000000 then -- below 0: Redis's clock was set back
    if age and age >= 2 * window * 1000000 then redis.call('UNLINK', done_keys[generation]) end
    if age and age >= 0 then
        generation = 1 - generation
        redis.call('UNLINK', done_keys[generation])
    end
    redis.call('HSET', meta_key, 'gen', generation, 'gen_started_us', string.format('%.0f', now))
end

call_in_chunks('HSET', done_keys[generation], finished)
redis.call('HINCRBY', meta_key, 'settled', string.format('%.0f', sum))
return #ids
