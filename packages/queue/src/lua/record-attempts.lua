--[[
  Writes attempts into their logs. The first record of a webhook's attempt stands: a worker that lost its lock and
  comes back late changes nothing, and is told what stands.

  KEYS[1]  counter of the shard's attempts: its growth is the rate at which the backlog drains
  KEYS[2]  counts of webhooks that wait for a time of their own (due-later.ts)
  KEYS[3…] logs and dead-letter sets, named by position below

  ARGV[1]  how many of the attempts change a count of KEYS[2], then for each of them three arguments:
    its place among all attempts of the call, from 0
    the count
    by how much it grows
  then for each log:
    position in KEYS of the attempt log
    lifetime in milliseconds that the log has at least from now on
    what the bundle's webhooks have in common, to be kept once in the log
    n, number of attempts that leave the dead-letter sets as they are: 1,000 at most, for Lua passes no more than
       some 8,000 arguments
    m, number of attempts that don't
    the fields of the n attempts, "<index>.<attempt>"
    the n attempts: field, entry
    the m attempts, eight arguments each:
      field
      entry
      position in KEYS of the dead-letter set
      field "<index>.webhook"; "" where a replay delivered it, and it leaves the set
      the webhook itself, for a replay
      member of the dead-letter set: the webhook's id
      its score: milliseconds since 1970
      milliseconds that a member is kept

  Returns, for each attempt that had a record: its place among all attempts of the call, from 0, and that record.
]]
local call = redis.call

local standing, stood = {}, {}
local function stands(place, entry)
  stood[tostring(place)] = true
  standing[#standing + 1] = place
  standing[#standing + 1] = entry
end

-- Sets the fields that the log doesn't have: n fields at ARGV[fields], then n pairs; the first attempt's place is
-- `place`. Returns how many.
-- An HSETNX for each would do the same, at twice the cost where n is large.
local function setNew(log, fields, n, place)
  local pairs = fields + n
  local known = call('HMGET', log, unpack(ARGV, fields, pairs - 1))
  local added = 0
  for i = 1, n do
    if known[i] then
      stands(place + i - 1, known[i])
    else
      added = added + 1
    end
  end
  if added == n then
    call('HSET', log, unpack(ARGV, pairs, pairs + 2 * n - 1))
  elseif added > 0 then
    for i = 0, n - 1 do
      call('HSETNX', log, ARGV[pairs + 2 * i], ARGV[pairs + 2 * i + 1])
    end
  end
  return added
end

-- Moves the webhook of a new attempt, whose arguments begin at `at`, into or out of its dead-letter set.
local function moveDeadLetter(log, at)
  local set, member = KEYS[tonumber(ARGV[at + 2])], ARGV[at + 5]
  if ARGV[at + 3] == '' then
    call('ZREM', set, member)
    return
  end
  local score, keptMs = ARGV[at + 6], ARGV[at + 7]
  call('HSET', log, ARGV[at + 3], ARGV[at + 4])
  call('ZADD', set, score, member)
  -- What is older than that has lost its log: drop it, so that the set is bounded too.
  call('ZREMRANGEBYSCORE', set, '-inf', score - keptMs)
  call('PEXPIRE', set, keptMs)
end

local changes = tonumber(ARGV[1])
local written, at, place = 0, 2 + 3 * changes, 0
while ARGV[at] do
  local log, lifetime, head = KEYS[tonumber(ARGV[at])], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local n, m = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  at = at + 5
  local added = n > 0 and setNew(log, at, n, place) or 0
  at, place = at + 3 * n, place + n
  for _ = 1, m do
    if call('HSETNX', log, ARGV[at], ARGV[at + 1]) == 1 then
      added = added + 1
      moveDeadLetter(log, at)
    else
      stands(place, call('HGET', log, ARGV[at]))
    end
    at, place = at + 8, place + 1
  end
  if added > 0 then
    call('HSETNX', log, 'bundle', head)
    if call('PTTL', log) < lifetime then
      call('PEXPIRE', log, lifetime)
    end
  end
  written = written + added
end
call('INCRBY', KEYS[1], written)
for i = 2, 3 * changes, 3 do
  -- Below zero: its first attempt was recorded by a version that did not count it.
  if not stood[ARGV[i]] and call('HINCRBY', KEYS[2], ARGV[i + 1], ARGV[i + 2]) <= 0 then
    call('HDEL', KEYS[2], ARGV[i + 1])
  end
end
return standing
