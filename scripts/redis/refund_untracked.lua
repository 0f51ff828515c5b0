-- Internal: Bursar's own, not part of the public protocol.
--
-- Gives back, once per message id, a deduction whose message came without token.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 done window   whole seconds, 1 to 31536000
--        2 message_id    1 to 128 visible ASCII characters, '!' to '~'
--        3 amount        1 to 9007199254740991, canonical decimal
--        4 outcome       rejected, voided or extra
-- Reply  {1, left}: given back by this call; {0, left}: given back before; {0, ''}: there is no stock key, and nothing is pending.
--        No stock is made, nothing is owed to it, and the refund counts as done. left is a string: the stock now, '-1' for an unlimited
--        budget, to which nothing is added, '' where the stock key is missing
--
-- An older producer took the amount from the stock key and left no pending entry: the amount is added to the stock, and the running
-- totals do not move, as they did not move then. A pending entry of the same id and amount is the deduction itself, of a producer that
-- does not pass its token on: it is given back exactly as release.lua does, for it would be given back once more if it stayed. Where
-- it was given back already (the id is rejected or voided in `done`, with this amount), nothing is left to give. A pending entry with
-- another amount is another deduction and stays.
--
-- The guard against a second refund is the field `refund <message_id>` in meta; the space keeps it apart from every other field. It
-- stays until forget_guard.lua moves it to `done`, where it still counts. Where the stock key is missing and meta is there the guard is
-- left, too: a stock that is made anew from the ledger has the amount in it. Where there is neither, Redis knows of no such budget.
--
-- Errors, all before the first write: BURSAR for a bad argument, a sum beyond 2^53-1, or where a key holds what these scripts never
-- write; WRONGTYPE where a key is of another type; OOM where Redis has no memory, but for a pending entry, which frees some.

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

local function refuse(why)
    return redis.error_reply('BURSAR refund_untracked: ' .. why)
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV ~= 4 then return refuse('expected the done window, message_id, amount, outcome') end
local left_key, pending_key, done_keys, meta_key = KEYS[1], KEYS[2], {[0] = KEYS[3], [1] = KEYS[4]}, KEYS[5]
local window, message_id, amount_text, outcome = parse(ARGV[1], 1), ARGV[2], ARGV[3], ARGV[4]
if not window or window > WINDOW_MAX then return refuse('the done window is not whole seconds from 1 to 31536000') end
if #message_id > 128 or not message_id:find('^[!-~]+$') then
    return refuse('message_id is not 1 to 128 visible ASCII characters')
end
local amount = parse(amount_text, 1)
if not amount then return refuse('the amount is no canonical integer from 1 to 2^53-1') end
if not DONE_OUTCOMES[outcome] then return refuse('the outcome is not rejected, voided or extra') end

local guard = 'refund ' .. message_id
local left = redis.call('GET', left_key)
local entry = redis.call('HGET', pending_key, message_id)
local meta = redis.call('HMGET', meta_key, guard, 'released', 'gen', 'gen_started_us')
local given_back = meta[1]
for generation = 0, 1 do
    local done = redis.call('HMGET', done_keys[generation], guard, message_id)
    local done_outcome, done_amount = (done[2] or ''):match('^(%a+):(%d+):%d+$')
    given_back = given_back or done[1] or (done_outcome == 'rejected' or done_outcome == 'voided') and done_amount == amount_text
end
if given_back then return {0, left or ''} end

local pending_amount, token = (entry or ''):match('^(%d+):(%d+)$')
local is_tracked = pending_amount == amount_text and parse(token, 1)
if not left and not is_tracked then
    if redis.call('EXISTS', meta_key) == 1 then redis.call('HSET', meta_key, guard, outcome .. ':' .. amount_text) end
    return {0, ''}
end
if is_tracked then
    local released = parse(meta[2] or '0', 0)
    if not released or released + amount > AMOUNT_MAX then
        return refuse('the running total `released` in meta is no integer, or would pass 2^53-1')
    end
end
local returns = left and left ~= '-1'
if returns then
    local stock = parse(left, 0)
    if not stock then return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1') end
    if stock + amount > AMOUNT_MAX then return refuse('the stock would pass 2^53-1') end
end

if is_tracked then
    redis.call('HDEL', pending_key, message_id)
    redis.call('HINCRBY', meta_key, 'released', amount_text)

    -- Generations: once the current one is a done window old, the other one is dropped and takes over.
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local generation = meta[3] == '1' and 1 or 0
    local started = parse(meta[4] or '', 0)
    local age = started and now - started
    if not age or age < 0 or age >= window * 1000000 then -- below 0: Redis's clock was set back
        if age and age >= 2 * window * 1000000 then redis.call('UNLINK', done_keys[generation]) end
        if age and age >= 0 then
            generation = 1 - generation
            redis.call('UNLINK', done_keys[generation])
        end
        redis.call('HSET', meta_key, 'gen', generation, 'gen_started_us', string.format('%.0f', now))
    end

    redis.call('HSET', done_keys[generation], message_id, DONE_OUTCOMES[outcome] .. ':' .. entry)
end
redis.call('HSET', meta_key, guard, outcome .. ':' .. amount_text)
if returns then left = string.format('%.0f', redis.call('INCRBY', left_key, amount_text)) end
return {1, left or ''}
