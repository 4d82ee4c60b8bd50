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
    pages    [{key, run, base, accepted, cancelled, outcomes, members}]
               base      position of the page's first cell
               accepted  from, count, …: cells within the page, ranges that don't overlap
               cancelled the same
               outcomes  seven numbers each: cell, attempt, verdict (0 goes on, 1 delivered, 2 failed), recipients
                         (0 of a batch), index in classes, latency bucket, milliseconds since 1970 (0: not to be
                         believed)
               members   from, count, verdict, …: cells within the page
    classes  for each its indexes in fields: what an outcome of the class raises by one
    fields   for each its index in KEYS, and the field of that hash
    chunks   for each its index in KEYS, and when it expires in milliseconds since 1970

  Returns {outcomes counted, outcomes that were counted before, messages newly accepted, messages pending}.
]]
local ACCEPTED, DELIVERED, FAILED, CANCELLED = 1, 2, 4, 8
local FIRST_ATTEMPT_BIT, ATTEMPT_BITS = 16, 12
-- Lifetimes are prolonged when they are shorter by this much, not at each call: a prolongation is a write.
local PROLONG_AFTER_MS = 86400000
local CELL_BYTES = 2
-- Cells in one BITFIELD: Lua passes no more than some 8,000 arguments, and setting a cell takes four.
local CELLS_AT_ONCE = 1000

local call, band, bor = redis.call, bit.band, bit.bor
local totals, latency, late = KEYS[1], KEYS[2], KEYS[3]
local plan = cjson.decode(ARGV[1])

local counted, repeated = 0, 0
local accepted, delivered, failed, cancelled = 0, 0, 0, 0
local first, last
local classCounts, latencyCounts, lateMembers = {}, {}, {}

-- The cells of a page that its outcomes, members and cancellations speak of, as they are: cell → value.
local function readCells(page)
  local order, cells = {}, {}
  local function read(from, count)
    for cell = from, from + count - 1 do
      if not cells[cell] then
        cells[cell] = 0
        order[#order + 1] = cell
      end
    end
  end
  for i = 1, #page.outcomes, 7 do
    read(page.outcomes[i], 1)
  end
  for i = 1, #page.members, 3 do
    read(page.members[i], page.members[i + 1])
  end
  for i = 1, #page.cancelled, 2 do
    read(page.cancelled[i], page.cancelled[i + 1])
  end
  for start = 1, #order, CELLS_AT_ONCE do
    local command = { 'BITFIELD', KEYS[page.key] }
    for i = start, math.min(start + CELLS_AT_ONCE - 1, #order) do
      command[#command + 1] = 'GET'
      command[#command + 1] = 'u16'
      command[#command + 1] = '#' .. order[i]
    end
    for i, value in ipairs(call(unpack(command))) do
      cells[order[start + i - 1]] = value
    end
  end
  return cells
end

-- Whether the attempt is new. Returns the cell with the attempt's bit set, or nil.
local function markAttempt(page, cell, value, attempt)
  if attempt <= ATTEMPT_BITS then
    local attemptBit = FIRST_ATTEMPT_BIT * 2 ^ (attempt - 1)
    if band(value, attemptBit) ~= 0 then
      return nil
    end
    return bor(value, attemptBit)
  end
  local member = string.format('%s.%.0f.%.0f', page.run, page.base + cell, attempt)
  if lateMembers[member] or call('SISMEMBER', late, member) == 1 then
    return nil
  end
  lateMembers[member] = true
  lateMembers[#lateMembers + 1] = member
  return value
end

-- What was sent after all was not called off. Returns the cell without the mark.
local function notCancelled(value, recipients)
  if band(value, CANCELLED) == 0 then
    return value
  end
  cancelled = cancelled - recipients
  return value - CANCELLED
end

-- What a verdict makes of a cell's messages. Returns the cell with their marks.
local function markMessages(value, verdict, recipients)
  if band(value, ACCEPTED) == 0 then
    value = value + ACCEPTED
    accepted = accepted + recipients
  end
  if verdict == 1 and band(value, DELIVERED) == 0 then
    value = value + DELIVERED
    delivered = delivered + recipients
    if band(value, FAILED) ~= 0 then
      value = value - FAILED
      failed = failed - recipients
    end
    value = notCancelled(value, recipients)
  elseif verdict == 2 and band(value, DELIVERED + FAILED) == 0 then
    value = value + FAILED
    failed = failed + recipients
    value = notCancelled(value, recipients)
  end
  return value
end

-- Returns the cells that the page's outcomes, members and cancellations change: cell → new value.
local function decideCells(page)
  local outcomes, cells, changed = page.outcomes, readCells(page), {}
  for i = 1, #outcomes, 7 do
    local cell, verdict, recipients = outcomes[i], outcomes[i + 2], outcomes[i + 3]
    local value = markAttempt(page, cell, cells[cell], outcomes[i + 1])
    if not value then
      repeated = repeated + 1
    else
      counted = counted + 1
      local class, bucket, occurredAt = outcomes[i + 4], outcomes[i + 5], outcomes[i + 6]
      classCounts[class] = (classCounts[class] or 0) + 1
      latencyCounts[bucket] = (latencyCounts[bucket] or 0) + 1
      if occurredAt > 0 then
        first = math.min(first or occurredAt, occurredAt)
        last = math.max(last or occurredAt, occurredAt)
      end
      value = markMessages(value, verdict, recipients)
      cells[cell] = value
      changed[cell] = value
    end
  end
  local members = page.members
  for i = 1, #members, 3 do
    for cell = members[i], members[i] + members[i + 1] - 1 do
      local value = markMessages(cells[cell], members[i + 2], 1)
      if value ~= cells[cell] then
        cells[cell] = value
        changed[cell] = value
      end
    end
  end
  local ranges = page.cancelled
  for i = 1, #ranges, 2 do
    for cell = ranges[i], ranges[i] + ranges[i + 1] - 1 do
      local value = cells[cell]
      if band(value, DELIVERED + FAILED + CANCELLED) == 0 then
        if band(value, ACCEPTED) == 0 then
          value = value + ACCEPTED
          accepted = accepted + 1
        end
        cancelled = cancelled + 1
        changed[cell] = value + CANCELLED
      end
    end
  end
  return changed
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
local rangeWrites, cellWrites = {}, {}
for _, page in ipairs(plan.pages) do
  local key = KEYS[page.key]
  local changed = decideCells(page)
  for i = 1, #page.accepted, 2 do
    local from, count = page.accepted[i], page.accepted[i + 1]
    local bytes = decideAcceptance(key, from, count, changed)
    if bytes then
      rangeWrites[#rangeWrites + 1] = { key, CELL_BYTES * from, bytes }
    end
  end
  local command, cells = nil, CELLS_AT_ONCE
  for cell, value in pairs(changed) do
    if cells == CELLS_AT_ONCE then
      command, cells = { 'BITFIELD', key }, 0
      cellWrites[#cellWrites + 1] = command
    end
    cells = cells + 1
    command[#command + 1] = 'SET'
    command[#command + 1] = 'u16'
    command[#command + 1] = '#' .. cell
    command[#command + 1] = value
  end
end
local known = call('HMGET', totals, 'first', 'last', 'm:accepted', 'm:delivered', 'm:failed', 'm:cancelled')
local pending = tonumber(known[3] or 0) - tonumber(known[4] or 0) - tonumber(known[5] or 0) - tonumber(known[6] or 0)
  + accepted - delivered - failed - cancelled
if #rangeWrites == 0 and #cellWrites == 0 and #lateMembers == 0 then
  return { 0, repeated, 0, pending }
end

local fieldCounts = {}
for class, count in pairs(classCounts) do
  for _, field in ipairs(plan.classes[class]) do
    fieldCounts[field] = (fieldCounts[field] or 0) + count
  end
end

-- 2. Write: marks, counts, lifetimes.
local kept = { [totals] = true }
for _, write in ipairs(rangeWrites) do
  call('SETRANGE', write[1], write[2], write[3])
  kept[write[1]] = true
end
for _, command in ipairs(cellWrites) do
  call(unpack(command))
  kept[command[2]] = true
end
if #lateMembers > 0 then
  call('SADD', late, unpack(lateMembers))
  kept[late] = true
end

for field, count in pairs(fieldCounts) do
  call('HINCRBY', KEYS[plan.fields[field][1]], plan.fields[field][2], count)
end
for bucket, count in pairs(latencyCounts) do
  call('HINCRBY', latency, bucket, count)
  kept[latency] = true
end
for name, count in pairs({
  ['m:accepted'] = accepted,
  ['m:delivered'] = delivered,
  ['m:failed'] = failed,
  ['m:cancelled'] = cancelled,
}) do
  if count ~= 0 then
    call('HINCRBY', totals, name, count)
  end
end
if first and (not known[1] or first < tonumber(known[1])) then
  call('HSET', totals, 'first', string.format('%.0f', first))
end
if last and (not known[2] or last > tonumber(known[2])) then
  call('HSET', totals, 'last', string.format('%.0f', last))
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
return { counted, repeated, accepted, pending }
