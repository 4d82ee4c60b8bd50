--[[
  Releases pieces of a lane in their order, as far as its limits allow. A released piece is on lease until it is done
  (finish-pieces.lua): its data stays here, and if the caller dies before the piece is in the queue, or the queue
  loses it, it is released again. The job's id and the attempt log make the repeat harmless.

  The rate is held by GCRA: "tat" is the time at which all that was released would have been sent, one webhook after
  the other. A piece may go while that time is no further ahead than the burst.

  KEYS[1]  lanes that have something to do
  KEYS[2]  the lane's order
  KEYS[3]  the lane's data
  KEYS[4]  the lane's state
  KEYS[5]  webhooks parked, by lane
  KEYS[6]  the lane's leases: ids by the time of their release
  KEYS[7]  the lane's flows that have something here, by tag
  KEYS[8]  what a webhook costs a campaign of another priority than the normal one

  ARGV[1]  lane
  ARGV[2]  webhooks to release at most
  ARGV[3]  milliseconds between webhooks by the lane's rate; 0: no rate
  ARGV[4]  milliseconds that the lane may run ahead of its rate
  ARGV[5]  webhooks in flight at most; 0: no limit
  ARGV[6]  a lease is stale after so many milliseconds
  ARGV[7]  milliseconds after which the lane is looked at again, where nothing better is known
  ARGV[8]  pieces to release at most
  ARGV[9]  "1": where nothing is in flight, release one piece however heavy it is
  ARGV[10] "1": it is a probe: release a first attempt if one waits, whatever its turn. A retry may be of a webhook that
           never succeeds, and would say nothing about the destination

  Returns { milliseconds until the lane is to be looked at again, or -1 where it has nothing left to do,
            webhooks in flight, id, data, id, data, … }.
]]
local lane = ARGV[1]
local wanted, interval, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local concurrency, stale, later = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tat = math.max(now, tonumber(redis.call('HGET', KEYS[4], 'tat') or '0'))
local inFlight = tonumber(redis.call('HGET', KEYS[4], 'inFlight') or '0')
local released = { 0, 0 }

local function weightOf(id)
  return tonumber(string.match(id, 'x(%d+)$'))
end

-- Leases whose job may be lost: a few at a time, for most of them are only slow.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - stale, 'LIMIT', 0, 10)) do
  redis.call('ZADD', KEYS[6], now, id)
  released[#released + 1] = id
  released[#released + 1] = redis.call('HGET', KEYS[3], id)
end

-- A retry costs its campaign so much more: while both wait, three of four webhooks are first attempts.
local RETRY_COST = 3

local function costOf(flow)
  local campaign, retry = string.match(flow, '^([^ ]*)( ?)')
  local cost = tonumber(redis.call('HGET', KEYS[8], campaign) or '1')
  return retry == '' and cost or cost * RETRY_COST
end

local function firstOf(flow)
  local entry = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. flow .. '\0', '(' .. flow .. '\1', 'LIMIT', 0, 1)[1]
  return entry, entry and string.match(entry, '([^%z]*)$')
end

-- The flow that is served next, its tag, and the lowest tag, which is the virtual time: a probe out of turn does not
-- move that on. Nil if nothing waits.
local function nextFlow()
  local lowest = redis.call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')
  if ARGV[10] ~= '1' or not lowest[1] then
    return lowest[1], lowest[2], lowest[2]
  end
  local from = 0
  while true do
    local some = redis.call('ZRANGE', KEYS[7], from, from + 99, 'WITHSCORES')
    for i = 1, #some, 2 do
      if not string.find(some[i], ' ', 1, true) then
        return some[i], some[i + 1], lowest[2]
      end
    end
    if #some < 200 then
      return lowest[1], lowest[2], lowest[2]
    end
    from = from + 100
  end
end

-- The caller reads what is released, and writes it again: with large bodies, few pieces at a time. The next ones go at once.
local BYTES_MAX = 4 * 1024 * 1024

local next = later
local taken, webhooks, bytes = 0, 0, 0
local begins = ARGV[9] == '1' and inFlight == 0
while true do
  local flow, start, virtual = nextFlow()
  if not flow then
    next = -1
    break
  end
  local entry, id = firstOf(flow)
  local weight = weightOf(id)
  if taken == tonumber(ARGV[8]) or (webhooks + weight > wanted and not (begins and taken == 0)) then
    break
  end
  if bytes >= BYTES_MAX then
    next = 1
    break
  end
  if concurrency > 0 and inFlight + weight > concurrency and inFlight > 0 then
    break
  end
  if interval > 0 and tat - now > burst then
    next = tat - now - burst
    break
  end
  tat = tat + weight * interval
  inFlight = inFlight + weight
  webhooks = webhooks + weight
  taken = taken + 1
  bytes = bytes + redis.call('HSTRLEN', KEYS[3], id)
  redis.call('ZREM', KEYS[2], entry)
  redis.call('ZADD', KEYS[6], now, id)
  redis.call('HSET', KEYS[4], 'virtual', virtual)
  local tag = start + weight * costOf(flow)
  if firstOf(flow) then
    redis.call('ZADD', KEYS[7], tag, flow)
  else
    redis.call('ZREM', KEYS[7], flow)
    redis.call('HSET', KEYS[4], 'tag:' .. flow, tag)
  end
  released[#released + 1] = id
  released[#released + 1] = redis.call('HGET', KEYS[3], id)
end
if taken > 0 then
  redis.call('HSET', KEYS[4], 'tat', string.format('%.3f', tat), 'inFlight', inFlight)
  if redis.call('HINCRBY', KEYS[5], lane, -webhooks) <= 0 then
    redis.call('HDEL', KEYS[5], lane)
  end
end
if next == -1 and redis.call('ZCARD', KEYS[6]) == 0 then
  redis.call('ZREM', KEYS[1], lane)
  -- Kept for a while for its rate: what was sent a moment ago still counts.
  redis.call('PEXPIRE', KEYS[4], math.ceil(tat - now) + 60000)
else
  redis.call('PERSIST', KEYS[4])
  redis.call('ZADD', KEYS[1], now + (next == -1 and stale or next), lane)
end
released[1] = math.ceil(next)
released[2] = inFlight
return released
