-- Internal: Bursar's own, not part of the public protocol.
--
-- Changes a budget's numbers by differences, once per amendment; makes a stock key that was lost.
--
-- KEYS   left, pending, done:0, done:1, meta, credits: the six keys of one budget, always all, in this order
-- ARGV   1 amendment id   1 to 9007199254740991, above that of every earlier amendment of this budget
--        2 left           differences, -9007199254740991 to 9007199254740991: canonical decimal, a minus before it where it is
--        3 credited         below 0
--        4 deducted
--        5 settled
--        6 released
--        7 restore        none; limited or unlimited: make the stock key. `left` is then not used
--        8 state          with a restore only: active, closed or deleted
--        then credit_id and amount of each credit that Redis is to have, any number of them: the amounts 0 to 9007199254740991, of an
--        unlimited budget `unlimited`
-- Reply  {1, left}: applied by this call; {0, left}: this amendment, or a later one, was applied before, and nothing changed.
--        left is a string: the stock now, '-1' for an unlimited budget, '' where there is no stock key
--
-- A difference commutes with whatever else goes on, so an amendment may be asked for some time after what it mends was seen. What is
-- restored is computed from the running totals as they are now: credited - deducted + released. The credits are written with it: one
-- that Redis forgot would be applied a second time when it is asked for again. What they amount to is in the differences, not added here.
--
-- The field `amended` in meta holds the id of the last amendment. Where meta is lost, so is that.
--
-- Errors, all before the first write: BURSAR for a bad argument, a number that would fall below 0 or pass 2^53-1, a difference of `left`
-- where there is no stock key or an unlimited one, a restore where there is a stock key or where meta says that the budget is of the other
-- kind, a credit without restore where there is no stock key or one of the other kind, a credit that is applied already (`credited` has it
-- then, and the difference would count it twice), or where a key holds what these scripts never write; WRONGTYPE where a key is of another
-- type; OOM where Redis has no memory.

local AMOUNT_MAX = 9007199254740991
local CHUNK = 1000 -- Lua's unpack is limited to some 7,000 values
local TOTALS = {'credited', 'deducted', 'settled', 'released'}
local STATES = {active = true, closed = true, deleted = true}
local RESTORES = {none = true, limited = true, unlimited = true}

-- The value of a canonical decimal from `least` to AMOUNT_MAX, else nil.
local function parse(text, least)
    if #text > 16 or not (text == '0' or text:find('^[1-9]%d*$')) then return nil end
    local value = tonumber(text)
    if value < least or value > AMOUNT_MAX then return nil end
    return value
end

-- The value of a difference, else nil. There is no -0.
local function parse_signed(text)
    if text:sub(1, 1) ~= '-' then return parse(text, 0) end
    local value = parse(text:sub(2), 1)
    return value and -value
end

local function is_id(text)
    return #text <= 128 and text:find('^[!-~]+$') ~= nil
end

local function format(value)
    return string.format('%.0f', value)
end

local function refuse(why)
    return redis.error_reply('BURSAR amend: ' .. why)
end

if #KEYS ~= 6 then return refuse('expected 6 keys: left, pending, done:0, done:1, meta, credits') end
if #ARGV < 7 then return refuse('expected the amendment id, five differences, restore') end
local left_key, meta_key, credits_key = KEYS[1], KEYS[5], KEYS[6]
local id, left_change, restore, state = parse(ARGV[1], 1), parse_signed(ARGV[2]), ARGV[7], ARGV[8]
if not id then return refuse('the amendment id is no canonical integer from 1 to 2^53-1') end
if not left_change then return refuse('the difference of left is no canonical integer from -(2^53-1) to 2^53-1') end
local changes = {}
for i, name in ipairs(TOTALS) do
    changes[i] = parse_signed(ARGV[2 + i])
    if not changes[i] then return refuse('the difference of ' .. name .. ' is no canonical integer from -(2^53-1) to 2^53-1') end
end
if not RESTORES[restore] then return refuse('restore is not none, limited or unlimited') end
local restores, unlimited = restore ~= 'none', restore == 'unlimited'
if restores and not STATES[state or ''] then return refuse('the state is not active, closed or deleted') end
local first_credit = restores and 9 or 8
if (#ARGV - first_credit) % 2 == 0 then return refuse('expected credit_id and amount of each credit at the end') end
local given, with_number, without_number = {}, nil, nil
for i = first_credit, #ARGV, 2 do
    local credit_id, amount_text, number = ARGV[i], ARGV[i + 1], (i - first_credit) / 2 + 1
    if not is_id(credit_id) then return refuse('credit_id of credit ' .. number .. ' is not 1 to 128 visible ASCII characters') end
    if amount_text == 'unlimited' then
        without_number = without_number or number
    elseif parse(amount_text, 0) then
        with_number = with_number or number
    else
        return refuse('the amount of credit ' .. number .. ' is neither a canonical integer from 0 to 2^53-1 nor `unlimited`')
    end
    if (given[credit_id] or amount_text) ~= amount_text then return refuse('credit ' .. number .. ' stands twice, with two amounts') end
    given[credit_id] = amount_text
end
local function of_other_kind(is_unlimited) -- the number of a credit that does not fit the budget
    if is_unlimited then return with_number end
    return without_number
end
if restores and of_other_kind(unlimited) then return refuse('credit ' .. of_other_kind(unlimited) .. ' does not fit what is restored') end

local left = redis.call('GET', left_key)
local stock = left and left ~= '-1' and parse(left, 0)
if left and left ~= '-1' and not stock then return refuse('the stock key holds neither -1 nor an integer from 0 to 2^53-1') end
local meta = redis.call('HMGET', meta_key, 'credited', 'deducted', 'settled', 'released', 'amended', 'unlimited')
local amended = parse(meta[5] or '0', 0)
if not amended then return refuse('`amended` in meta is no integer from 0 to 2^53-1') end
if id <= amended then return {0, left or ''} end

local totals = {}
for i, name in ipairs(TOTALS) do
    local before = parse(meta[i] or '0', 0)
    if not before then return refuse('the running total `' .. name .. '` in meta is no integer from 0 to 2^53-1') end
    totals[i] = before + changes[i]
    if totals[i] < 0 or totals[i] > AMOUNT_MAX then
        return refuse('the running total `' .. name .. '` would fall below 0 or pass 2^53-1')
    end
end
if restores then
    if left then return refuse('there is a stock key: nothing is to be restored') end
    if not unlimited and meta[6] == '1' then return refuse('meta says that the budget is unlimited') end
    if unlimited and meta[1] and meta[6] ~= '1' then return refuse('meta says that the budget is not unlimited') end
    stock = not unlimited and totals[1] - totals[2] + totals[4]
else
    local has_credits = with_number or without_number
    if not left and (left_change ~= 0 or has_credits) then return refuse('there is no stock key to change') end
    if not stock and left_change ~= 0 then return refuse('the stock of an unlimited budget has no differences') end
    if of_other_kind(not stock) then return refuse('credit ' .. of_other_kind(not stock) .. ' does not fit the stock') end
    stock = stock and stock + left_change
end
if stock and (stock < 0 or stock > AMOUNT_MAX) then return refuse('the stock would fall below 0 or pass 2^53-1') end
if restores then redis.call('HLEN', credits_key) end -- WRONGTYPE is to be seen now, not after the first write
for first = first_credit, #ARGV, 2 * CHUNK do
    local asked = {}
    for i = first, math.min(first + 2 * CHUNK, #ARGV) - 1, 2 do asked[#asked + 1] = ARGV[i] end
    for n, amount_text in ipairs(redis.call('HMGET', credits_key, unpack(asked))) do
        if amount_text then return refuse('credit ' .. (first - first_credit) / 2 + n .. ' is applied already') end
    end
end

-- First a write that needs memory: without memory it is refused, and nothing has happened.
local fields = {'amended', ARGV[1]}
for i, name in ipairs(TOTALS) do
    if changes[i] ~= 0 or restores and i == 1 then -- `credited` says that the budget was initialised
        fields[#fields + 1] = name
        fields[#fields + 1] = format(totals[i])
    end
end
if restores then
    fields[#fields + 1] = 'state'
    fields[#fields + 1] = state
end
if unlimited then
    fields[#fields + 1] = 'unlimited'
    fields[#fields + 1] = '1'
end
redis.call('HSET', meta_key, unpack(fields))
if restores then
    left = stock and format(stock) or '-1'
    redis.call('SET', left_key, left)
elseif left_change ~= 0 then
    left = format(redis.call('INCRBY', left_key, ARGV[2]))
end
for first = first_credit, #ARGV, 2 * CHUNK do
    redis.call('HSET', credits_key, unpack(ARGV, first, math.min(first + 2 * CHUNK - 1, #ARGV)))
end
return {1, left or ''}
