--[[
  Writes attempts into their logs. The first record of a webhook's attempt stands: a worker that lost its lock and
  comes back late changes nothing.

  KEYS[1]  counter of the shard's attempts: its growth is the rate at which the backlog drains
  KEYS[2…] logs and dead-letter sets, named by position below

  ARGV[1]  number of records
  then for each record six arguments:
    position in KEYS of the attempt log
    field, "<index>.<attempt>"
    value, the entry
    lifetime in milliseconds that the log has at least from now on
    what the bundle's webhooks have in common, to be kept once in the log; "" where another record brings it
    position in KEYS of the dead-letter set, or "0" where the webhook neither enters nor leaves it
  and where that position is not "0", four more:
    field, "<index>.webhook"; "" where a replay delivered it, and it leaves the set
    the webhook itself, for a replay
    member of the dead-letter set: the webhook's id
    its score: milliseconds since 1970

  Returns an array: 1 where the record is new, 0 where the attempt had one.
]]
local fresh = {}
-- Lifetime that each log shall have, by its position in KEYS: set once, after all records.
local lifetimes = {}
local at = 2
for i = 1, tonumber(ARGV[1]) do
  local position = tonumber(ARGV[at])
  local log = KEYS[position]
  local lifetime = tonumber(ARGV[at + 3])
  local dead = tonumber(ARGV[at + 5])
  fresh[i] = redis.call('HSETNX', log, ARGV[at + 1], ARGV[at + 2])
  if fresh[i] == 1 then
    lifetimes[position] = math.max(lifetimes[position] or 0, lifetime)
    if dead > 0 and ARGV[at + 6] == '' then
      redis.call('ZREM', KEYS[dead], ARGV[at + 8])
    elseif dead > 0 then
      redis.call('HSET', log, ARGV[at + 6], ARGV[at + 7])
      redis.call('ZADD', KEYS[dead], ARGV[at + 9], ARGV[at + 8])
      -- What is older than the lifetime has lost its log: drop it, so that the set is bounded too.
      redis.call('ZREMRANGEBYSCORE', KEYS[dead], '-inf', ARGV[at + 9] - lifetime)
      redis.call('PEXPIRE', KEYS[dead], lifetime)
    end
    if ARGV[at + 4] ~= '' then
      redis.call('HSETNX', log, 'bundle', ARGV[at + 4])
    end
  end
  at = at + 6
  if dead > 0 then
    at = at + 4
  end
end
for position, lifetime in pairs(lifetimes) do
  if redis.call('PTTL', KEYS[position]) < lifetime then
    redis.call('PEXPIRE', KEYS[position], lifetime)
  end
end
redis.call('INCRBY', KEYS[1], #fresh)
return fresh
