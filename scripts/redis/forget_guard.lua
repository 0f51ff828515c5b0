-- Internal: Bursar's own, not part of the public protocol.
--
-- Removes the guards that refund_untracked.lua left in meta, once the ledger says that these refunds are done.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   message_id, any number of them
-- Reply  how many guards were removed (integer)
--
-- Errors, before the first write: BURSAR for a wrong number of keys; WRONGTYPE where meta is of another type.

local CHUNK = 1000 -- Lua's unpack is limited to some 7,000 values

if #KEYS ~= 6 then
    return redis.error_reply('BURSAR forget_guard: expected 6 keys: left, pending, done:0, done:1, meta, credits')
end

local removed = 0
for first = 1, #ARGV, CHUNK do
    local guards = {}
    for i = first, math.min(first + CHUNK - 1, #ARGV) do guards[#guards + 1] = 'refund ' .. ARGV[i] end
    removed = removed + redis.call('HDEL', KEYS[5], unpack(guards))
end
return removed
