--[[
  Puts webhooks into a lot, where they wait for others of the same campaign, message and channel.

  KEYS[1]  lots, by the time at which to look at them
  KEYS[2]  the lot's order: list of "<milliseconds of arrival> <webhook id>"
  KEYS[3]  the lot's data: webhook id → the webhook
  KEYS[4]  the lot's state: "head" and "bytes"
  KEYS[5]  webhooks in the shard's lots
  KEYS[6]  calls of late, by their time

  ARGV[1]  lot
  ARGV[2]  what its webhooks have in common
  ARGV[3]  milliseconds that the first of a batch waits at most
  ARGV[4]  the call: a name of its own
  then for each webhook two arguments: its id, the webhook

  Returns { webhooks that wait, their bytes, milliseconds until the first has waited long enough }. A webhook that is
  here already, or in a batch of this lot that is not yet in the queue, stays as it is. So does everything where the call
  was made before: a connection that loses a reply sends its command again, maybe when the webhooks have left.
]]
-- Longer than a connection that was lost takes to come back with what it has left to send.
local REMEMBERED_MS = 600000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now - REMEMBERED_MS)
local isFirstCall = redis.call('ZADD', KEYS[6], 'NX', now, ARGV[4]) == 1
redis.call('PEXPIRE', KEYS[6], REMEMBERED_MS)
local fresh, bytes = 0, 0
if isFirstCall then
  for i = 5, #ARGV, 2 do
    if redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1]) == 1 then
      redis.call('RPUSH', KEYS[2], string.format('%.0f %s', now, ARGV[i]))
      fresh = fresh + 1
      bytes = bytes + #ARGV[i + 1]
    end
  end
end
if fresh > 0 then
  redis.call('HSET', KEYS[4], 'head', ARGV[2])
  if not string.match(redis.call('HGET', KEYS[4], 'bytes') or '0', '^-?%d+$') then
    redis.call('HSET', KEYS[4], 'bytes', 0)
  end
  bytes = redis.call('HINCRBY', KEYS[4], 'bytes', bytes)
  redis.call('INCRBY', KEYS[5], fresh)
else
  bytes = tonumber(redis.call('HGET', KEYS[4], 'bytes') or '0') or 0
end
local waiting = redis.call('LLEN', KEYS[2])
local dueIn = 0
if waiting > 0 then
  -- What is no entry is taken out when the lot is looked at: at once.
  local arrival = tonumber(string.match(redis.call('LINDEX', KEYS[2], 0), '^%d+') or '0')
  dueIn = math.max(0, arrival + ARGV[3] - now)
  redis.call('ZADD', KEYS[1], 'LT', now + dueIn, ARGV[1])
end
return { waiting, bytes, dueIn }
