--[[
  Counts a campaign's part of a results job: marks and counts in one step, so that neither is ever without the other.

  May be called any number of times with the same entries, in any order, wholly or in parts, and mixed with others:
  the counts end the same. An entry counts if its mark is not yet set:

    acceptance   of a position   sets "accepted"; the position's message is accepted
    outcome      of an attempt   sets the attempt's bit; its event, reason, latency and steps of time are counted,
                                 and "accepted" is made good where the producer died before it could say so
      delivered                  sets "delivered"; its messages are delivered, and no longer failed or cancelled
      failed                     sets "failed" unless delivered or failed already; its messages are failed, and not
                                 cancelled
    member       of a batch      as the batch's outcome, but without an event: that is counted once, at the batch's own
                                 position, and the messages at its members' positions
    cancellation of a position   sets "cancelled" unless the webhook has ended already; its message is cancelled

  First everything is read and decided, then everything is written: an error in between leaves nothing half done.

  KEYS[1]  totals (hash)
  KEYS[2]  latency (hash)
  KEYS[3]  attempts that have no bit in the marks (set of "<run>.<position>.<attempt>")
  KEYS[…]  pages of marks (strings of 16-bit cells) and chunks of steps (hashes), named by their index below

  ARGV[1]  JSON:
    keepMs   lifetime of totals, latency and marks after the last event
    first    of the outcomes' times, milliseconds since 1970; 0 where none is to be believed
    last     the same
    due      when the first of the acceptances is to be sent, milliseconds since 1970; 0 if there are none
    pages    [{key, run, base, from, count, accepted, cancelled, outcomes, members}]
               base      position of the page's first cell
               from      first of the cells that outcomes, members and cancellations speak of
               count     cells from there to the last of them; 0: they speak of none
               accepted  from, count, …: cells within the page, ranges that don't overlap
               cancelled the same
               outcomes  three numbers each: cell, index in kinds, latency bucket
               members   from, count, verdict, …: cells within the page
    kinds    [{attempt, verdict, recipients, class}]: what outcomes have in common
               verdict     0 goes on, 1 delivered, 2 failed
               recipients  0 of a batch
               class       index in classes
    classes  for each its indexes in fields: what an outcome of the class raises by one
    fields   for each its index in KEYS, and the field of that hash
    chunks   for each its index in KEYS, and when it expires in milliseconds since 1970

  Returns {outcomes counted, outcomes that were counted before, messages newly accepted, messages pending, counters that
  held no number and begin anew: key and field}.
]]
local ACCEPTED, DELIVERED, FAILED, CANCELLED = 1, 2, 4, 8
local FIRST_ATTEMPT_BIT, ATTEMPT_BITS = 16, 12
-- Lifetimes are prolonged when they are shorter by this much, not at each call: a prolongation is a write.
local PROLONG_AFTER_MS = 86400000
local CELL_BYTES = 2

local call, band, bor, bnot = redis.call, bit.band, bit.bor, bit.bnot
local totals, latency, late = KEYS[1], KEYS[2], KEYS[3]
local plan = cjson.decode(ARGV[1])

local counted, repeated = 0, 0
local accepted, delivered, failed, cancelled = 0, 0, 0, 0
local latencyCounts, lateMembers = {}, {}

-- The cell after a verdict: accepted at least. What was delivered is neither failed nor cancelled, whatever comes.
local function afterVerdict(value, verdict)
  value = bor(value, ACCEPTED)
  if verdict == 1 then
    return bor(band(value, bnot(FAILED + CANCELLED)), DELIVERED)
  end
  if verdict == 2 and band(value, DELIVERED) == 0 then
    return bor(band(value, bnot(CANCELLED)), FAILED)
  end
  return value
end

-- 1 where the mark was set, -1 where it was taken away, 0 where it is as it was.
local function change(before, after, mark)
  return (band(after, mark) - band(before, mark)) / mark
end

-- Counts the messages of cells that changed.
local function countMessages(before, after, messages)
  accepted = accepted + change(before, after, ACCEPTED) * messages
  delivered = delivered + change(before, after, DELIVERED) * messages
  failed = failed + change(before, after, FAILED) * messages
  cancelled = cancelled + change(before, after, CANCELLED) * messages
end

-- Of a kind: what it makes of a cell's value (false: its attempt is counted already), and how often that came up. Most
-- outcomes of a call are alike and meet cells that are alike, so that it is thought about once.
for _, kind in ipairs(plan.kinds) do
  kind.counted = 0
  kind.after, kind.times = {}, {}
end

local function afterOutcome(kind, value)
  local attemptBit = FIRST_ATTEMPT_BIT * 2 ^ (kind.attempt - 1)
  return band(value, attemptBit) == 0 and afterVerdict(bor(value, attemptBit), kind.verdict)
end

-- The same for an attempt that the cell has no bit for.
local function afterLateOutcome(page, kind, cell, value)
  local member = string.format('%s.%.0f.%.0f', page.run, page.base + cell, kind.attempt)
  if lateMembers[member] or call('SISMEMBER', late, member) == 1 then
    return false
  end
  lateMembers[member] = true
  lateMembers[#lateMembers + 1] = member
  return afterVerdict(value, kind.verdict)
end

-- Returns the cells that the page's outcomes, members and cancellations change: cell → new value, and their order.
local function decideCells(page)
  local changed, order = {}, {}
  if page.count == 0 then
    return changed, order
  end
  local first, byte = page.from, string.byte
  local bytes = call('GETRANGE', KEYS[page.key], CELL_BYTES * first, CELL_BYTES * (first + page.count) - 1)
  local function valueOf(cell)
    if changed[cell] then
      return changed[cell]
    end
    local high, low = byte(bytes, CELL_BYTES * (cell - first) + 1, CELL_BYTES * (cell - first) + 2)
    -- Behind the string's end nothing is marked yet.
    return high and 256 * high + low or 0
  end
  local function set(cell, value)
    if not changed[cell] then
      order[#order + 1] = cell
    end
    changed[cell] = value
  end

  local outcomes, kinds = page.outcomes, plan.kinds
  for i = 1, #outcomes, 3 do
    local cell, kind = outcomes[i], kinds[outcomes[i + 1]]
    local value = valueOf(cell)
    local after
    if kind.attempt > ATTEMPT_BITS then
      after = afterLateOutcome(page, kind, cell, value)
      if after then
        countMessages(value, after, kind.recipients)
      end
    else
      after = kind.after[value]
      if after == nil then
        after = afterOutcome(kind, value)
        kind.after[value] = after
      end
      if after then
        kind.times[value] = (kind.times[value] or 0) + 1
      end
    end
    if after then
      local bucket = outcomes[i + 2]
      latencyCounts[bucket] = (latencyCounts[bucket] or 0) + 1
      kind.counted = kind.counted + 1
      set(cell, after)
    else
      repeated = repeated + 1
    end
  end

  local members = page.members
  for i = 1, #members, 3 do
    for cell = members[i], members[i] + members[i + 1] - 1 do
      local value = valueOf(cell)
      local after = afterVerdict(value, members[i + 2])
      if after ~= value then
        countMessages(value, after, 1)
        set(cell, after)
      end
    end
  end

  local ranges = page.cancelled
  for i = 1, #ranges, 2 do
    for cell = ranges[i], ranges[i] + ranges[i + 1] - 1 do
      local value = valueOf(cell)
      if band(value, DELIVERED + FAILED + CANCELLED) == 0 then
        local after = bor(value, ACCEPTED + CANCELLED)
        countMessages(value, after, 1)
        set(cell, after)
      end
    end
  end
  return changed, order
end

-- Calls `write` with each run of neighbours among the cells: the first, and the bytes of all. Cells that were not decided
-- in their order make more runs than they need, and no harm.
local function inRuns(changed, order, write)
  local at = 1
  while order[at] do
    local first, bytes = order[at], {}
    repeat
      local value = changed[order[at]]
      bytes[#bytes + 1] = string.char(math.floor(value / 256), value % 256)
      at = at + 1
    until order[at] ~= order[at - 1] + 1
    write(first, table.concat(bytes))
  end
end

-- Returns the bytes of the range with each cell accepted, or nil where they are that already.
-- Cells in `changed` are counted, and are written after this range.
local function decideAcceptance(key, from, count, changed)
  local bytes = call('GETRANGE', key, CELL_BYTES * from, CELL_BYTES * (from + count) - 1)
  local fresh, accepting = 0, nil
  if not string.find(bytes, '[^%z]') then
    fresh = count
    for cell in pairs(changed) do
      if cell >= from and cell < from + count then
        fresh = fresh - 1
      end
    end
    accepting = string.rep('\0\1', count)
  else
    local cells, unmarked = {}, 0
    for i = 1, count do
      local high, low = string.byte(bytes, CELL_BYTES * i - 1, CELL_BYTES * i)
      high, low = high or 0, low or 0
      if band(low, ACCEPTED) == 0 then
        low = low + ACCEPTED
        unmarked = unmarked + 1
        if not changed[from + i - 1] then
          fresh = fresh + 1
        end
      end
      cells[i] = string.char(high, low)
    end
    accepting = unmarked > 0 and table.concat(cells) or nil
  end
  accepted = accepted + fresh
  return accepting
end

-- 1. Read and decide.
local writes = {}
for _, page in ipairs(plan.pages) do
  local key = KEYS[page.key]
  local changed, order = decideCells(page)
  for i = 1, #page.accepted, 2 do
    local from, count = page.accepted[i], page.accepted[i + 1]
    local bytes = decideAcceptance(key, from, count, changed)
    if bytes then
      writes[#writes + 1] = { key, CELL_BYTES * from, bytes }
    end
  end
  inRuns(changed, order, function(first, bytes)
    writes[#writes + 1] = { key, CELL_BYTES * first, bytes }
  end)
end
local classCounts = {}
for _, kind in ipairs(plan.kinds) do
  if kind.counted > 0 then
    counted = counted + kind.counted
    classCounts[kind.class] = (classCounts[kind.class] or 0) + kind.counted
  end
  for value, times in pairs(kind.times) do
    countMessages(value, kind.after[value], kind.recipients * times)
  end
end
local known = call('HMGET', totals, 'first', 'last', 'm:accepted', 'm:delivered', 'm:failed', 'm:cancelled', 'due')
local function numberAt(i)
  return tonumber(known[i] or 0) or 0
end
local pending = numberAt(3) - numberAt(4) - numberAt(5) - numberAt(6) + accepted - delivered - failed - cancelled
if #writes == 0 and #lateMembers == 0 then
  return { 0, repeated, 0, pending, {} }
end

local fieldCounts = {}
for class, count in pairs(classCounts) do
  for _, field in ipairs(plan.classes[class]) do
    fieldCounts[field] = (fieldCounts[field] or 0) + count
  end
end

-- 2. Write: marks, counts, lifetimes.
local kept = { [totals] = true }
for _, write in ipairs(writes) do
  call('SETRANGE', write[1], write[2], write[3])
  kept[write[1]] = true
end
if #lateMembers > 0 then
  call('SADD', late, unpack(lateMembers))
  kept[late] = true
end

-- A counter that holds no number, as somebody else wrote it, begins anew: an error here would lose what the marks stand for.
local replaced = {}
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
for bucket, count in pairs(latencyCounts) do
  grow(latency, bucket, count)
  kept[latency] = true
end
for name, count in pairs({
  ['m:accepted'] = accepted,
  ['m:delivered'] = delivered,
  ['m:failed'] = failed,
  ['m:cancelled'] = cancelled,
}) do
  if count ~= 0 then
    grow(totals, name, count)
  end
end
-- The times of outcomes that were counted before were in then.
if plan.first > 0 and plan.first < (tonumber(known[1] or nil) or math.huge) then
  call('HSET', totals, 'first', string.format('%.0f', plan.first))
end
if plan.last > 0 and plan.last > numberAt(2) then
  call('HSET', totals, 'last', string.format('%.0f', plan.last))
end

if plan.due > 0 and plan.due < (tonumber(known[7] or nil) or math.huge) then
  call('HSET', totals, 'due', string.format('%.0f', plan.due))
end

local prolongBelowMs = math.max(plan.keepMs - PROLONG_AFTER_MS, plan.keepMs / 2)
for key in pairs(kept) do
  if call('PTTL', key) < prolongBelowMs then
    call('PEXPIRE', key, string.format('%.0f', plan.keepMs))
  end
end
for _, chunk in ipairs(plan.chunks) do
  if call('PTTL', KEYS[chunk[1]]) == -1 then
    call('PEXPIREAT', KEYS[chunk[1]], string.format('%.0f', chunk[2]))
  end
end
return { counted, repeated, accepted, pending, replaced }
