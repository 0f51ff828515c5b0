-- Deducts an amount from a budget, once per message id.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 message_id   1 to 128 visible ASCII characters, '!' to '~'
--        2 amount       1 to 9007199254740991: canonical decimal, no sign, no leading zero, no fraction
-- Reply  {status, left, deducted_at_us}: status is an integer, the others are strings, '' where they do not apply
--
--   status  meaning                                              left        deducted_at_us
--     1     deducted now                                         after it    now: the deduction's token
--     0     deducted before with this amount; nothing changes    current     the first one's
--    -2     not enough left                                      current
--    -3     not initialised
--    -4     this id was used with another amount                 current     the first one's
--    -5     bad argument
--    -6     this id was refunded; goes before -4                 current     the first one's
--    -7     the budget is closed or deleted                      current
--
-- The id is looked up before the stock, so that a retry after a sell-out still gets its first answer. left is '-1' for an
-- unlimited budget, and '' for a known id whose stock key is gone.
--
-- Errors, all before the first write: WRONGTYPE where a key is of another type; BURSAR where a key holds what these scripts never
-- write; OOM where Redis has no memory.

local AMOUNT_MAX = 9007199254740991

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
    return redis.error_reply('BURSAR deduct: ' .. why)
end

if #KEYS ~= 6 or #ARGV ~= 2 then return {-5, '', ''} end
local left_key, pending_key, meta_key = KEYS[1], KEYS[2], KEYS[5]
local message_id, amount_text = ARGV[1], ARGV[2]
local amount = parse(amount_text, 1)
if not amount or not is_id(message_id) then return {-5, '', ''} end

local left = redis.call('GET', left_key)
local meta = redis.call('HMGET', meta_key, 'deducted', 'state', 'gen')

local pending = redis.call('HGET', pending_key, message_id)
if pending then
    local first_amount, first_time = pending:match('^(%d+):(%d+)$')
    if not first_amount then return refuse('the pending entry of this id is not amount:time') end
    return {first_amount == amount_text and 0 or -4, left or '', first_time}
end

local newer, older = KEYS[3], KEYS[4]
if meta[3] == '1' then newer, older = older, newer end
local done = redis.call('HGET', newer, message_id) or redis.call('HGET', older, message_id)
if done then
    local outcome, first_amount, first_time = done:match('^(%a+):(%d+):(%d+)$')
    if not outcome then return refuse('the done entry of this id is not outcome:amount:time') end
    if outcome ~= 'settled' then return {-6, left or '', first_time} end
    return {first_amount == amount_text and 0 or -4, left or '', first_time}
end

if not left then return {-3, '', ''} end
if meta[2] and meta[2] ~= 'active' then return {-7, left, ''} end

local unlimited = left == '-1'
local stock = unlimited or parse(left, 0)
if not stock then return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1') end
local deducted = parse(meta[1] or '0', 0)
if not deducted then return refuse('the running total `deducted` in meta is no integer from 0 to 2^53-1') end

-- The running total is bounded here, so that settle and release, which never sum up to more, cannot overflow.
if deducted + amount > AMOUNT_MAX or not unlimited and stock < amount then return {-2, left, ''} end

local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2])

-- First the write that needs the most memory: without memory it is refused, and nothing has happened.
redis.call('HSET', pending_key, message_id, amount_text .. ':' .. now)
redis.call('HINCRBY', meta_key, 'deducted', amount_text)
if unlimited then return {1, left, now} end
return {1, string.format('%.0f', redis.call('DECRBY', left_key, amount_text)), now}
