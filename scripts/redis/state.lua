-- Opens, closes or deletes a budget for new deductions.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 state   active, closed or deleted
-- Reply  {1, now_us}: Redis's TIME of the change in microseconds, a string. A deduction whose token is older came before it.
--
-- Works on a budget that was never initialised, too. What is pending stays, and can be settled and released.
--
-- Errors, before the write: BURSAR for a bad argument; WRONGTYPE where meta is of another type; OOM where Redis has no memory.

local STATES = {active = true, closed = true, deleted = true}

if #KEYS ~= 6 then
    return redis.error_reply('BURSAR state: expected 6 keys: left, pending, done:0, done:1, meta, credits')
end
if #ARGV ~= 1 or not STATES[ARGV[1]] then
    return redis.error_reply('BURSAR state: expected one argument: active, closed or deleted')
end

local time = redis.call('TIME')
redis.call('HSET', KEYS[5], 'state', ARGV[1])
return {1, time[1] .. string.format('%06d', time[2])}
