-- Says what Redis knows of one deduction. Writes nothing, so it may run on a replica (EVALSHA_RO).
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 message_id   1 to 128 visible ASCII characters, '!' to '~'
-- Reply  {state, amount, deducted_at_us}, all strings. state is
--          pending    deducted, and not yet known to be booked
--          settled    booked; rejected, voided: given back. Remembered for at least a done window after it was finished
--          unknown    never seen, or forgotten: only the ledger knows. amount and deducted_at_us are ''
--
-- Errors: BURSAR for a bad argument, or where a key holds what these scripts never write; WRONGTYPE where a key is of another type.

local function refuse(why)
    return redis.error_reply('BURSAR query: ' .. why)
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV ~= 1 or #ARGV[1] > 128 or not ARGV[1]:find('^[!-~]+$') then
    return refuse('expected one message_id of 1 to 128 visible ASCII characters')
end
local message_id = ARGV[1]

local pending = redis.call('HGET', KEYS[2], message_id)
if pending then
    local amount, time = pending:match('^(%d+):(%d+)$')
    if not amount then return refuse('the pending entry of this id is not amount:time') end
    return {'pending', amount, time}
end

local newer, older = KEYS[3], KEYS[4]
if redis.call('HGET', KEYS[5], 'gen') == '1' then newer, older = older, newer end
local done = redis.call('HGET', newer, message_id) or redis.call('HGET', older, message_id)
if not done then return {'unknown', '', ''} end
local outcome, amount, time = done:match('^(%a+):(%d+):(%d+)$')
if not outcome then return refuse('the done entry of this id is not outcome:amount:time') end
return {outcome, amount, time}
