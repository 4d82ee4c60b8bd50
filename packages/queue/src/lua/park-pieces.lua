--[[
  Puts pieces of bundles into a lane's parking lot, in fair order.

  The order is that of start-time fair queueing (Goyal, Vin, Cheng, 1996). Each campaign is a flow, and so are its
  retries; a flow's pieces keep their order. The flow with the lowest tag is served next, and its tag then grows by
  what was served (release-pieces.lua). A flow that comes, or comes back, begins at the lane's virtual time, which is
  the tag that was served last, or where it left off if that is later. So flows take turns by webhooks, and a small
  campaign that comes late does not wait behind all of a large one.

  KEYS[1]  lanes that have something to do, by the time at which to look at them
  KEYS[2]  the lane's order: "<flow>\0<number>\0<id of a piece>", all with the score 0, so in the order of bytes
  KEYS[3]  the lane's data: id of a piece → its bundle
  KEYS[4]  the lane's state: "virtual" (time), "inFlight", "tat", "number" (of the last piece), and "tag:<flow>" of
           flows that have nothing here
  KEYS[5]  webhooks parked, by lane
  KEYS[6]  the lane's flows that have something here, by tag

  ARGV[1]  lane
  then for each piece four arguments: its id, its flow, its weight in webhooks, its data

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
  local id, flow, weight = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  if redis.call('HSETNX', KEYS[3], id, ARGV[i + 3]) == 1 then
    local number = redis.call('HINCRBY', KEYS[4], 'number', 1)
    redis.call('ZADD', KEYS[2], 0, string.format('%s\0%015.0f\0%s', flow, number, id))
    if not redis.call('ZSCORE', KEYS[6], flow) then
      local left = tonumber(redis.call('HGET', KEYS[4], 'tag:' .. flow) or '0')
      redis.call('ZADD', KEYS[6], math.max(virtual, left), flow)
    end
    parked = parked + weight
  end
end
if parked > 0 then
  redis.call('HINCRBY', KEYS[5], ARGV[1], parked)
  redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
end
return parked
