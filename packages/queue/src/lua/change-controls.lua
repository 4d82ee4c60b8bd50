--[[
  Changes the controls of a campaign. Each change touches its own fields only, so that of two calls at the same time none
  is lost.

  A cancel is a generation. A webhook carries the generation of its campaign at the time of its enqueue. A resume after a
  cancel begins the next generation, and what belongs to an earlier one stays cancelled. A deadline that has passed was a
  cancel: who moves or removes it then begins the next generation as well.

  KEYS[1]  controls: hash, campaign → JSON
  KEYS[2]  circuits that are not closed: hash, lane → circuit; a paused campaign has one
  KEYS[3]  priorities: hash, campaign → what a webhook costs it in a lane
  KEYS[4]  campaigns to sweep, by the time at which to sweep them (campaign-jobs.ts)
  KEYS[5]  lanes that have something to do, by the time at which to look at them
  KEYS[6]  version of the controls and circuits
  KEYS[7]  what changed, by version (read-changes.lua)

  ARGV[1]  campaign
  ARGV[2]  its lane
  ARGV[3]  "set", "pause", "resume" or "cancel"
  ARGV[4]  set: the fields that replace the present ones, as JSON
  ARGV[5]  set: the cost of a webhook; "" for that of the normal priority
  ARGV[6]  set: the deadline in milliseconds since 1970; "" for none

  Returns { the controls before, the controls now, the campaign's circuit; "" for none of each }.
]]
-- The same as in change-circuit.lua.
local CHANGES_MAX = 10000

local campaign, lane, verb = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local before = redis.call('HGET', KEYS[1], campaign) or ''
local isReadable, controls = pcall(cjson.decode, before)
if not isReadable or type(controls) ~= 'table' then
  controls = {}
end

local function sweepNow()
  redis.call('ZADD', KEYS[4], now, campaign)
end

-- Beside the other: what a former deadline has cancelled may still have to be swept.
local function sweepAtDeadline(ms)
  if ms then
    redis.call('ZADD', KEYS[4], ms, campaign .. ' deadline')
  else
    redis.call('ZREM', KEYS[4], campaign .. ' deadline')
  end
end

local function closeLane()
  redis.call('HDEL', KEYS[2], lane)
  redis.call('ZADD', KEYS[5], 0, lane)
end

if verb == 'set' then
  local fields = cjson.decode(ARGV[4])
  fields.cancelledAtMs = controls.cancelledAtMs
  fields.generation = controls.generation
  if controls.deadlineAtMs and controls.deadlineAtMs < now and not controls.cancelledAtMs then
    fields.generation = (controls.generation or 0) + 1
    sweepNow()
  end
  controls = fields
  if ARGV[5] == '' then
    redis.call('HDEL', KEYS[3], campaign)
  else
    redis.call('HSET', KEYS[3], campaign, ARGV[5])
  end
  controls.deadlineAtMs = tonumber(ARGV[6])
  sweepAtDeadline(not controls.cancelledAtMs and controls.deadlineAtMs)
  -- A rate that was raised or removed counts for what waits already.
  redis.call('ZADD', KEYS[5], 0, lane)
elseif verb == 'pause' then
  local circuit = { state = 'paused', sinceMs = now, why = 'operator' }
  redis.call('HSETNX', KEYS[2], lane, cjson.encode(circuit))
elseif verb == 'resume' then
  if controls.cancelledAtMs then
    controls.cancelledAtMs = nil
    controls.generation = (controls.generation or 0) + 1
  end
  closeLane()
elseif verb == 'cancel' then
  controls.cancelledAtMs = controls.cancelledAtMs or now
  -- What a pause held is let go, to be counted as cancelled.
  closeLane()
  sweepNow()
end

local after = next(controls) and cjson.encode(controls) or ''
if after == '' then
  redis.call('HDEL', KEYS[1], campaign)
else
  redis.call('HSET', KEYS[1], campaign, after)
end
local version = math.max(tonumber(redis.call('GET', KEYS[6]) or '0') + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[6], string.format('%.0f', version))
redis.call('ZADD', KEYS[7], string.format('%.0f', version), lane)
redis.call('ZREMRANGEBYRANK', KEYS[7], 0, -CHANGES_MAX - 1)
return { before, after, redis.call('HGET', KEYS[2], lane) or '' }
