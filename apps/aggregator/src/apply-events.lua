--[[
  Counts custom events of a campaign: marks and counts in one step, so that neither is ever without the other.

  May be called any number of times with the same events, in any order, wholly or in parts, and mixed with others: the
  counts end the same. An event counts if its mark is not yet set: its id's digest in any of the sets, or its bit.

  First everything is read and decided, then everything is written: an error in between leaves nothing half done.

  KEYS[1]  totals (hash)
  KEYS[2]  digests of the ids that are counted today (set)
  KEYS[3…] digests of other days: idSets of them, with today's
  KEYS[…]  pages of marks (strings of bits) and chunks of steps (hashes), named by their index below

  ARGV[1]  JSON:
    keepMs         lifetime of the totals after the last event
    idSets         number of sets of digests
    idsExpireAtMs  when today's goes, in milliseconds since 1970
    marksKeepMs    lifetime of a page after the last event in it
    events   for each: index in classes, milliseconds since 1970 (0: not to be believed), and four numbers for each of
             its numbers: index in sums, high limb, low limb (number-sums.ts), the number itself
    pages    [{key, marks}]: bit, index in events, …
    classes  for each its indexes in fields: what an event of the class raises by one
    fields   for each its index in KEYS, and the field of that hash
    chunks   for each its index in KEYS, and when it expires in milliseconds since 1970
    sums     for each its field of the totals
  ARGV[2…] digests: the first one is of the first event, and so on; the other events have a bit

  Returns {events counted, events that were counted before, counters that held no number and begin anew: key and field}.
]]
local LIMB = 1e15
-- Lifetimes are prolonged when they are shorter by this much, not at each call: a prolongation is a write.
local PROLONG_AFTER_MS = 86400000

local call = redis.call
local totals, today = KEYS[1], KEYS[2]
local plan = cjson.decode(ARGV[1])

-- 1. Read and decide: known[event] where it was counted before.
local known = {}
local newDigests, bitWrites = {}, {}

local digests = {}
for i = 2, #ARGV do
  digests[i - 1] = ARGV[i]
end
if #digests > 0 then
  for set = 2, 1 + plan.idSets do
    for i, isMember in ipairs(call('SMISMEMBER', KEYS[set], unpack(digests))) do
      known[i] = known[i] or isMember == 1
    end
  end
  local seen = {}
  for i, digest in ipairs(digests) do
    known[i] = known[i] or seen[digest]
    seen[digest] = true
    if not known[i] then
      newDigests[#newDigests + 1] = digest
    end
  end
end

for _, page in ipairs(plan.pages) do
  local read, write = { 'BITFIELD', KEYS[page.key] }, { 'BITFIELD', KEYS[page.key] }
  for i = 1, #page.marks, 2 do
    read[#read + 1] = 'GET'
    read[#read + 1] = 'u1'
    read[#read + 1] = page.marks[i]
  end
  local seen = {}
  for i, bit in ipairs(call(unpack(read))) do
    local at, event = page.marks[2 * i - 1], page.marks[2 * i]
    known[event] = bit == 1 or seen[at]
    seen[at] = true
    if not known[event] then
      write[#write + 1] = 'SET'
      write[#write + 1] = 'u1'
      write[#write + 1] = at
      write[#write + 1] = 1
    end
  end
  if #write > 2 then
    bitWrites[#bitWrites + 1] = write
  end
end

local counted = 0
local classCounts, sums, summed = {}, {}, {}
local first, last
for i, event in ipairs(plan.events) do
  if not known[i] then
    counted = counted + 1
    local class, occurredAt = event[1], event[2]
    classCounts[class] = (classCounts[class] or 0) + 1
    if occurredAt > 0 then
      first = math.min(first or occurredAt, occurredAt)
      last = math.max(last or occurredAt, occurredAt)
    end
    for at = 3, #event, 4 do
      local name = plan.sums[event[at]]
      if not sums[name] then
        sums[name] = { count = 0, high = 0, low = 0, min = math.huge, max = -math.huge }
        summed[#summed + 1] = name
      end
      local sum = sums[name]
      sum.count = sum.count + 1
      sum.high = sum.high + event[at + 1]
      sum.low = sum.low + event[at + 2]
      if sum.low >= LIMB then
        sum.high, sum.low = sum.high + 1, sum.low - LIMB
      end
      sum.min = math.min(sum.min, event[at + 3])
      sum.max = math.max(sum.max, event[at + 3])
    end
  end
end
if counted == 0 then
  return { 0, #plan.events, {} }
end

local replaced = {}
-- Count, two limbs, least and most; nil for a text that is something else.
local function readSum(text)
  local parts = {}
  for part in string.gmatch(text, '%S+') do
    parts[#parts + 1] = tonumber(part)
  end
  if #parts == 5 then
    return unpack(parts)
  end
end
local bounds = call('HMGET', totals, 'first', 'last')
local sumWrites = { 'HSET', totals }
if #summed > 0 then
  for i, text in ipairs(call('HMGET', totals, unpack(summed))) do
    local sum = sums[summed[i]]
    if text then
      local count, high, low, min, max = readSum(text)
      if count then
        sum.count, sum.high, sum.low = sum.count + count, sum.high + high, sum.low + low
        if sum.low >= LIMB then
          sum.high, sum.low = sum.high + 1, sum.low - LIMB
        end
        sum.min, sum.max = math.min(sum.min, min), math.max(sum.max, max)
      else
        replaced[#replaced + 1] = totals .. ' ' .. summed[i]
      end
    end
    sumWrites[#sumWrites + 1] = summed[i]
    sumWrites[#sumWrites + 1] =
      string.format('%.0f %.0f %.0f %.17g %.17g', sum.count, sum.high, sum.low, sum.min, sum.max)
  end
end

local fieldCounts = {}
for class, count in pairs(classCounts) do
  for _, field in ipairs(plan.classes[class]) do
    fieldCounts[field] = (fieldCounts[field] or 0) + count
  end
end

-- 2. Write: marks, counts, lifetimes.
local function prolong(key, keepMs)
  if call('PTTL', key) < math.max(keepMs - PROLONG_AFTER_MS, keepMs / 2) then
    call('PEXPIRE', key, string.format('%.0f', keepMs))
  end
end

if #newDigests > 0 then
  call('SADD', today, unpack(newDigests))
  if call('PTTL', today) == -1 then
    call('PEXPIREAT', today, string.format('%.0f', plan.idsExpireAtMs))
  end
end
for _, command in ipairs(bitWrites) do
  call(unpack(command))
  prolong(command[2], plan.marksKeepMs)
end

-- A counter that holds no number, as somebody else wrote it, begins anew: an error here would lose what the marks stand for.
local function grow(key, field, count)
  local grown = redis.pcall('HINCRBY', key, field, count)
  if type(grown) == 'table' and grown.err then
    call('HSET', key, field, string.format('%.0f', count))
    replaced[#replaced + 1] = key .. ' ' .. field
  end
end

for field, count in pairs(fieldCounts) do
  grow(KEYS[plan.fields[field][1]], plan.fields[field][2], count)
end
if #sumWrites > 2 then
  call(unpack(sumWrites))
end
if first and first < (tonumber(bounds[1] or nil) or math.huge) then
  call('HSET', totals, 'first', string.format('%.0f', first))
end
if last and last > (tonumber(bounds[2] or nil) or 0) then
  call('HSET', totals, 'last', string.format('%.0f', last))
end
prolong(totals, plan.keepMs)
for _, chunk in ipairs(plan.chunks) do
  if call('PTTL', KEYS[chunk[1]]) == -1 then
    call('PEXPIREAT', KEYS[chunk[1]], string.format('%.0f', chunk[2]))
  end
end
return { counted, #plan.events - counted, replaced }
