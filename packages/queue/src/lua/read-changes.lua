--[[
  Reads what has changed in the controls of campaigns, the circuits of lanes and the channels since a version.

  KEYS[1]  version of the controls and circuits
  KEYS[2]  what changed, by version: the lanes of campaigns, channels and origins
  KEYS[3]  controls: hash, campaign → JSON
  KEYS[4]  circuits that are not closed: hash, lane → circuit
  KEYS[5]  version that an earlier version of hookfleet raises: what it changed is in no list
  ARGV[1]  the version that the caller knows; "" for none
  ARGV[2]  the earlier version's that the caller knows

  Returns { milliseconds since 1970, version, earlier version's, "same" }, or
          { …, "some", lane, controls, circuit, lane, … } with "" for none, or
          { …, "all", { campaign, controls, … }, { lane, circuit, … } } if the list does not reach back that far.
]]
-- More changes than that cost about as much as all of a small fleet.
local LISTED_MAX = 1000
-- As many as change-circuit.lua and change-controls.lua keep.
local CHANGES_MAX = 10000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local version, earlier = redis.call('GET', KEYS[1]) or '0', redis.call('GET', KEYS[5]) or '0'
local reply = { now, version, earlier }
if ARGV[1] == version and ARGV[2] == earlier then
  reply[4] = 'same'
  return reply
end
local function reachesBack()
  if ARGV[1] == '' or ARGV[2] ~= earlier or tonumber(version) < tonumber(ARGV[1]) then
    return false
  end
  if redis.call('ZCARD', KEYS[2]) < CHANGES_MAX then
    return true
  end
  return tonumber(redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]) <= tonumber(ARGV[1])
end

if reachesBack() then
  local lanes = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, LISTED_MAX + 1)
  if #lanes <= LISTED_MAX then
    reply[4] = 'some'
    for _, lane in ipairs(lanes) do
      local campaign = string.match(lane, '^campaign:(.*)$')
      reply[#reply + 1] = lane
      reply[#reply + 1] = campaign and redis.call('HGET', KEYS[3], campaign) or ''
      reply[#reply + 1] = redis.call('HGET', KEYS[4], lane) or ''
    end
    return reply
  end
end
reply[4] = 'all'
reply[5] = redis.call('HGETALL', KEYS[3])
reply[6] = redis.call('HGETALL', KEYS[4])
return reply
