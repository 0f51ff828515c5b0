-- Internal: Bursar's own, not part of the public protocol.
--
-- Gives back a deduction that has no token: an older producer took it from the stock key and left no pending entry.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 message_id   1 to 128 visible ASCII characters, '!' to '~'
--        2 amount       1 to 9007199254740991, canonical decimal
--        3 outcome      rejected, voided or extra
-- Reply  {1, left}: given back by this call ('-1': unlimited, there is nothing to add); {0, left}: given back before;
--        {0, ''}: there is no stock key. None is made, nothing is owed to it, and the refund counts as done.
--
-- The guard against a second refund is the field `refund <message_id>` in meta; the space keeps it apart from every other field. It
-- stays until forget_guard.lua removes it. The running totals do not move: the older producer did not move them either. A pending
-- entry of the same id is another deduction and stays.
--
-- Errors, all before the first write: BURSAR for a bad argument, a sum beyond 2^53-1, or where the stock key holds no integer; WRONGTYPE
-- where a key is of another type; OOM where Redis has no memory.

local AMOUNT_MAX = 9007199254740991
local OUTCOMES = {rejected = true, voided = true, extra = true}

-- The value of a canonical decimal from `least` to AMOUNT_MAX, else nil.
local function parse(text, least)
    if #text > 16 or not (text == '0' or text:find('^[1-9]%d*$')) then return nil end
    local value = tonumber(text)
    if value < least or value > AMOUNT_MAX then return nil end
    return value
end

local function refuse(why)
    return redis.error_reply('BURSAR refund_untracked: ' .. why)
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV ~= 3 then return refuse('expected message_id, amount, outcome') end
local left_key, meta_key = KEYS[1], KEYS[5]
local message_id, amount_text = ARGV[1], ARGV[2]
if #message_id > 128 or not message_id:find('^[!-~]+$') then
    return refuse('message_id is not 1 to 128 visible ASCII characters')
end
local amount = parse(amount_text, 1)
if not amount then return refuse('the amount is no canonical integer from 1 to 2^53-1') end
if not OUTCOMES[ARGV[3]] then return refuse('the outcome is not rejected, voided or extra') end

local guard = 'refund ' .. message_id
local left = redis.call('GET', left_key)
if not left then return {0, ''} end
if redis.call('HEXISTS', meta_key, guard) == 1 then return {0, left} end

local unlimited = left == '-1'
local stock = unlimited and 0 or parse(left, 0)
if not stock then return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1') end
if stock + amount > AMOUNT_MAX then return refuse('the stock would pass 2^53-1') end

redis.call('HSET', meta_key, guard, ARGV[3] .. ':' .. amount_text)
if unlimited then return {1, left} end
return {1, string.format('%.0f', redis.call('INCRBY', left_key, amount_text))}
