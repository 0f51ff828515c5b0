-- Internal: Bursar's own, not part of the public protocol.
--
-- The stock of a budget and the sum of what is pending, of one instant and without reading the pending entries.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   none
-- Reply  {left, pending}: strings; left is '-1' for an unlimited budget and '' where there is no stock key;
--        pending is deducted - settled - released
--
-- Errors: BURSAR for wrong arguments, or where the stock or a running total is no integer; WRONGTYPE where a key is of another type.

if #KEYS ~= 6 or #ARGV ~= 0 then
    return redis.error_reply('BURSAR levels: expected 6 keys: left, pending, done:0, done:1, meta, credits, and no argument')
end

local left = redis.call('GET', KEYS[1])
if left and not left:find('^%-?%d+$') then
    return redis.error_reply('BURSAR levels: ' .. KEYS[1] .. ' holds no integer; delete it, and bursar reconcile --repair makes it anew')
end
local totals = redis.call('HMGET', KEYS[5], 'deducted', 'settled', 'released')
for i = 1, 3 do
    local total = totals[i] or '0'
    if #total > 16 or not total:find('^%d+$') then
        return redis.error_reply('BURSAR levels: a running total in meta is no integer from 0 to 2^53-1')
    end
    totals[i] = tonumber(total)
end
return {left or '', string.format('%.0f', totals[1] - totals[2] - totals[3])}
