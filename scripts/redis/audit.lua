-- Internal: Bursar's own, not part of the public protocol.
--
-- Everything that Redis knows of a budget but for its entries, of one instant. Constant time, whatever is pending. Writes nothing, so it
-- may run on a replica (EVALSHA_RO).
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   none
-- Reply  {left, has_meta, credited, deducted, settled, released, state, pendings, credits, now_us, amended}: all but has_meta, pendings
--        and credits, which are integers, are strings
--          left                 '-1' for an unlimited budget, '' where there is no stock key
--          has_meta             1; 0 where there is no meta key: nothing says that this budget ever was here
--          credited… released   the running totals; 0 for one that was never written
--          state                active, closed or deleted; active where it was never written
--          pendings, credits    how many entries each of these hashes has
--          now_us               Redis's TIME in microseconds: a deduction that is counted here has this token or an older one, unless
--                               Redis's clock was set back; one that is not has this token or a newer one
--          amended              the id of the last amendment that was applied (amend.lua); 0: none
--
-- Errors: BURSAR for wrong arguments, or where a key holds what these scripts never write; WRONGTYPE where a key is of another type.

local AMOUNT_MAX = 9007199254740991
local NUMBERS = {'credited', 'deducted', 'settled', 'released', 'amended'}
local STATES = {active = true, closed = true, deleted = true}

local function is_number(text)
    return #text <= 16 and (text == '0' or text:find('^[1-9]%d*$') ~= nil) and tonumber(text) <= AMOUNT_MAX
end

local function refuse(why)
    return redis.error_reply('BURSAR audit: ' .. why)
end

if #KEYS ~= 6 or #ARGV ~= 0 then
    return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits, and no argument')
end

local left = redis.call('GET', KEYS[1])
if left and left ~= '-1' and not is_number(left) then
    return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1')
end
local meta = redis.call('HMGET', KEYS[5], 'credited', 'deducted', 'settled', 'released', 'amended', 'state')
for i, name in ipairs(NUMBERS) do
    meta[i] = meta[i] or '0'
    if not is_number(meta[i]) then return refuse('`' .. name .. '` in meta is no integer from 0 to 2^53-1') end
end
local state = meta[6] or 'active'
if not STATES[state] then return refuse('`state` in meta is not active, closed or deleted') end
local has_meta = redis.call('HLEN', KEYS[5]) > 0 and 1 or 0
local time = redis.call('TIME')
return {left or '', has_meta, meta[1], meta[2], meta[3], meta[4], state, redis.call('HLEN', KEYS[2]), redis.call('HLEN', KEYS[6]),
        time[1] .. string.format('%06d', time[2]), meta[5]}
