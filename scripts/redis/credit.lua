-- Credits a budget, once per credit id; the first credit initialises it.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 credit_id   1 to 128 visible ASCII characters, '!' to '~'
--        2 amount      0 to 9007199254740991: canonical decimal; or `unlimited`
-- Reply  {1, left}: applied by this call; {0, left}: this credit id was applied before with the same amount, nothing changed.
--        left is a string: the stock now, '-1' for an unlimited budget, '' where the stock key was lost
--
-- A budget is initialised once: `credited` in meta says that it was. Where its stock key is missing later, the key was lost: the
-- credit is recorded, and reconcile brings the key back. A stock key without meta, made by hand, is added to.
--
-- Errors, all before the first write: BURSAR for a bad argument, the same credit id with another amount, a sum beyond 2^53-1, a number
-- for an unlimited budget or `unlimited` for one that is not, or where a key holds what these scripts never write; WRONGTYPE where a
-- key is of another type; OOM where Redis has no memory.

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
    return redis.error_reply('BURSAR credit: ' .. why)
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV ~= 2 then return refuse('expected credit_id, amount') end
local left_key, meta_key, credits_key = KEYS[1], KEYS[5], KEYS[6]
local credit_id, amount_text = ARGV[1], ARGV[2]
local unlimited = amount_text == 'unlimited'
local amount = unlimited and 0 or parse(amount_text, 0)
if not is_id(credit_id) then return refuse('credit_id is not 1 to 128 visible ASCII characters') end
if not amount then return refuse('the amount is neither a canonical integer from 0 to 2^53-1 nor `unlimited`') end

local left = redis.call('GET', left_key)
local before = redis.call('HGET', credits_key, credit_id)
if before == amount_text then return {0, left or ''} end
if before then return refuse('this credit id was applied with another amount') end

local meta = redis.call('HMGET', meta_key, 'credited', 'unlimited')
local is_new = not left and not meta[1]
if not is_new then
    local is_unlimited = meta[2] == '1'
    if left then is_unlimited = left == '-1' end
    if is_unlimited and not unlimited then return refuse('the budget is unlimited and takes no number') end
    if unlimited and not is_unlimited then return refuse('the budget has a number and cannot become unlimited') end
end
local credited = parse(meta[1] or '0', 0)
if not credited or credited + amount > AMOUNT_MAX then
    return refuse('the running total `credited` in meta is no integer, or would pass 2^53-1')
end
if left and not unlimited then
    local stock = parse(left, 0)
    if not stock then return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1') end
    if stock + amount > AMOUNT_MAX then return refuse('the stock would pass 2^53-1') end
end

-- First a write that needs memory: without memory it is refused, and nothing has happened.
redis.call('HSET', credits_key, credit_id, amount_text)
redis.call('HINCRBY', meta_key, 'credited', unlimited and '0' or amount_text)
if unlimited then redis.call('HSET', meta_key, 'unlimited', '1') end
if is_new then
    left = unlimited and '-1' or amount_text
    redis.call('SET', left_key, left)
elseif left and not unlimited then
    left = string.format('%.0f', redis.call('INCRBY', left_key, amount_text))
end
return {1, left or ''}
