-- Gives one pending deduction back to the budget.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 done window      whole seconds, 1 to 31536000
--        2 message_id       1 to 128 visible ASCII characters, '!' to '~'
--        3 deducted_at_us   the token that deduct.lua gave: canonical decimal, 1 to 9007199254740991
--        4 outcome          rejected, voided, or extra: a second deduction of an id that is settled
-- Reply  {1, left}: this call gave it back; {0, left}: the id is not pending, or with another token, and nothing changed.
--        left is a string: the stock now, '-1' for an unlimited budget, '' where the stock key is missing
--
-- The entry moves to the current generation of `done` as <outcome>:<amount>:<deducted_at_us>, extra as settled, and `released` in
-- meta grows. A stock key that was lost is not made again here: everything else is done, and reconcile brings the key back.
--
-- Errors, all before the first write: BURSAR for a bad argument, a sum beyond 2^53-1, or where a key holds what these scripts never
-- write; WRONGTYPE where a key is of another type. Memory is freed before it is used, so it works when Redis is full.

local AMOUNT_MAX = 9007199254740991
local WINDOW_MAX = 31536000
local DONE_OUTCOMES = {rejected = 'rejected', voided = 'voided', extra = 'settled'}

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
    return redis.error_reply('BURSAR release: ' .. why)
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV ~= 4 then return refuse('expected the done window, message_id, deducted_at_us, outcome') end
local left_key, pending_key, done_keys, meta_key = KEYS[1], KEYS[2], {[0] = KEYS[3], [1] = KEYS[4]}, KEYS[5]
local window, message_id, token, done_outcome = parse(ARGV[1], 1), ARGV[2], ARGV[3], DONE_OUTCOMES[ARGV[4]]
if not window or window > WINDOW_MAX then return refuse('the done window is not whole seconds from 1 to 31536000') end
if not is_id(message_id) then return refuse('message_id is not 1 to 128 visible ASCII characters') end
if not parse(token, 1) then return refuse('deducted_at_us is no canonical integer from 1 to 2^53-1') end
if not done_outcome then return refuse('the outcome is not rejected, voided or extra') end

local left = redis.call('GET', left_key)
local entry = redis.call('HGET', pending_key, message_id)
local amount_text, pending_token = (entry or ''):match('^(%d+):(%d+)$')
if pending_token ~= token then return {0, left or ''} end

local amount = parse(amount_text, 1)
if not amount then return refuse('the pending entry of this id holds no amount from 1 to 2^53-1') end
local meta = redis.call('HMGET', meta_key, 'released', 'gen', 'gen_started_us')
local released = parse(meta[1] or '0', 0)
if not released or released + amount > AMOUNT_MAX then
    return refuse('the running total `released` in meta is no integer, or would pass 2^53-1')
end
local returns = left and left ~= '-1'
if returns then
    local stock = parse(left, 0)
    if not stock then return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1') end
    if stock + amount > AMOUNT_MAX then return refuse('the stock would pass 2^53-1') end
end
redis.call('HLEN', done_keys[0]) -- WRONGTYPE is to be seen now, not after the first write
redis.call('HLEN', done_keys[1])

redis.call('HDEL', pending_key, message_id)
redis.call('HINCRBY', meta_key, 'released', amount_text)
if returns then left = string.format('%.0f', redis.call('INCRBY', left_key, amount_text)) end

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

redis.call('HSET', done_keys[generation], message_id, done_outcome .. ':' .. entry)
return {1, left or ''}
