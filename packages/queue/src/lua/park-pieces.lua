--[[
  Puts pieces of bundles into a lane's parking lot, in fair order.

  The order is that of start-time fair queueing (Goyal, Vin, Cheng, 1996): each piece gets a tag, which is the
  campaign's last tag plus the piece's weight, but not less than the lane's virtual time, which is the tag that was
  released last. So campaigns take turns by webhooks, and a small campaign that comes late does not wait behind all
  of a large one.

  KEYS[1]  lanes that have something to do, by the time at which to look at them
  KEYS[2]  the lane's order: ids of pieces by tag
  KEYS[3]  the lane's data: id of a piece → its bundle
  KEYS[4]  the lane's state: "virtual" (time), "inFlight", "tat", and "tag:<campaign>"
  KEYS[5]  webhooks parked, by lane

  ARGV[1]  lane
  then for each piece four arguments: its id, its campaign, its weight in webhooks, its data

  Returns the number of webhooks that were parked. A piece that is here already stays as it is.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local virtual = tonumber(redis.call('HGET', KEYS[4], 'virtual') or '0')
local parked = 0
-- Tags that virtual time has passed mean nothing any more: dropped when there are many.
if redis.call('HLEN', KEYS[4]) > 5000 then
  local fields = redis.call('HGETALL', KEYS[4])
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 4) == 'tag:' and tonumber(fields[i + 1]) <= virtual then
      redis.call('HDEL', KEYS[4], fields[i])
    end
  end
end
for i = 2, #ARGV, 4 do
  local id, field, weight = ARGV[i], 'tag:' .. ARGV[i + 1], tonumber(ARGV[i + 2])
  if redis.call('HSETNX', KEYS[3], id, ARGV[i + 3]) == 1 then
    local tag = math.max(virtual, tonumber(redis.call('HGET', KEYS[4], field) or '0'))
    redis.call('ZADD', KEYS[2], tag, id)
    redis.call('HSET', KEYS[4], field, tag + weight)
    parked = parked + weight
  end
end
if parked > 0 then
  redis.call('HINCRBY', KEYS[5], ARGV[1], parked)
  redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
end
return parked
