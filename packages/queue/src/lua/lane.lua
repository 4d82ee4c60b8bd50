--[[
  Lanes: what waits, and what may be sent. A job that may not be sent waits in BullMQ's delayed set, and has an entry here.
  An entry is in one of three places:

    order      the job waits. Entries are released in fair order.
    released   the job was brought back to the queue and no worker has begun it yet. After STALE_MS it is in order again.
    neither    a worker has the job in hand.

  An entry keeps its place until its job is sent or ended, so a job that comes back waits where it had waited before.

  The order is that of start-time fair queueing (Goyal, Vin, Cheng, 1996). Each campaign is a flow, and so are its retries.
  The flow with the lowest tag is served next, and its tag then grows by what was served. A flow that comes, or comes back,
  begins at the lane's virtual time, or where it left off if that is later. So a small campaign that comes late does not wait
  behind all of a large one.

  Limits are taken when a worker is about to send ("admit"), never before: a webhook that is paused or cancelled on its way
  takes nothing. The rate is held by GCRA: "tat" is the time at which all that was sent would have been sent, one after the
  other. It counts recipients. The concurrency counts requests: each holds a permit until it is answered, or until its time is
  over if its worker died.

  KEYS[1]  lanes that have something to do, by the time at which to look at them
  KEYS[2]  webhooks that wait: hash, lane → recipients
  KEYS[3]  reasons: hash, lane → why its webhooks wait
  KEYS[4]  circuits that are not closed: hash, lane → circuit
  KEYS[5]  priorities: hash, campaign → what a webhook costs it, if that is not 1
  KEYS[6]  retries among the webhooks that wait, in recipients
  then six keys for one lane or two:
    jobs      hash, job → "<number> <requests> <recipients> <time since which it waits> <flow>"
    order     sorted set of "<flow>\0<number>\0<job>", all with the score 0, so in the order of bytes
    flows     sorted set, flow → tag, of flows that have something in order
    released  sorted set, job → time
    state     hash: virtual (time), number, tat and the interval that it was made of, outRequests and outRecipients (of what is released), probe (the job that is
              one), probedFor and probingUntil, and "tag:<flow>" of flows that have nothing in order
    permits   sorted set, permit → time at which it ends by itself

  ARGV[1]  verb: one of the functions at the end
  ARGV[2]  name of the first lane
  ARGV[3]  name of the second lane, or ""
  ARGV[4…] arguments of the verb, named there

  All times are milliseconds since 1970, by Redis' clock, which tells microseconds.
]]
-- A released job is taken within milliseconds, unless the queue is long or its workers died.
local STALE_MS = 5000
-- When to look again if nothing better is known: for room at workers, and for permits that nobody gave back.
local ROOM_MS, PERMIT_MS = 250, 1000
-- While a probe is on its way, no other goes out for so long (circuit-breaker.ts).
local PROBE_MS = 9000
-- A retry costs its campaign so much more: while both wait, three of four webhooks are first attempts.
local RETRY_COST = 3
-- The state of an empty lane is kept so long after its rate allows everything again.
local STATE_KEPT_MS = 60000

local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local function laneAt(name, first)
  return {
    name = name, jobs = KEYS[first], order = KEYS[first + 1], flows = KEYS[first + 2], released = KEYS[first + 3],
    state = KEYS[first + 4], permits = KEYS[first + 5],
  }
end

local one = laneAt(ARGV[2], 7)
local other = ARGV[3] ~= '' and laneAt(ARGV[3], 13)

local function stateOf(lane, field)
  return tonumber(call('HGET', lane.state, field) or '0')
end

local function circuitOf(lane)
  local text = call('HGET', KEYS[4], lane.name)
  local isReadable, circuit = pcall(cjson.decode, text or '')
  return isReadable and type(circuit) == 'table' and circuit or nil
end

local function entryOf(lane, job)
  local text = call('HGET', lane.jobs, job)
  if not text then
    return nil
  end
  local number, requests, recipients, since, flow = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (.*)$')
  return {
    number = tonumber(number), requests = tonumber(requests), recipients = tonumber(recipients), since = tonumber(since),
    flow = flow, job = job,
  }
end

local function textOf(entry)
  return string.format(
    '%.0f %d %d %.0f %s', entry.number, entry.requests, entry.recipients, entry.since, entry.flow
  )
end

local function placeOf(entry)
  return string.format('%s\0%015.0f\0%s', entry.flow, entry.number, entry.job)
end

local function firstOf(lane, flow)
  local place = call('ZRANGEBYLEX', lane.order, '[' .. flow .. '\0', '(' .. flow .. '\1', 'LIMIT', 0, 1)[1]
  return place and entryOf(lane, string.match(place, '([^%z]*)$')), place
end

local function isRetry(flow)
  return string.find(flow, ' ', 1, true) ~= nil
end

local function costOf(flow)
  local cost = tonumber(call('HGET', KEYS[5], string.match(flow, '^[^ ]*')) or '1')
  return isRetry(flow) and cost * RETRY_COST or cost
end

local function countWaiting(lane, recipients, flow)
  if recipients == 0 then
    return
  end
  if call('HINCRBY', KEYS[2], lane.name, recipients) <= 0 then
    call('HDEL', KEYS[2], lane.name)
    call('HDEL', KEYS[3], lane.name)
  end
  if isRetry(flow) then
    call('INCRBY', KEYS[6], recipients)
  end
end

-- What the job's release has cost its flow comes back with the part of it that was not sent.
local function comesBack(lane, entry, recipients)
  if call('ZREM', lane.released, entry.job) == 0 then
    return
  end
  call('HINCRBY', lane.state, 'outRequests', -entry.requests)
  call('HINCRBY', lane.state, 'outRecipients', -entry.recipients)
  local refund = recipients * costOf(entry.flow)
  if refund > 0 and call('ZSCORE', lane.flows, entry.flow) then
    call('ZINCRBY', lane.flows, -refund, entry.flow)
  elseif refund > 0 then
    call('HINCRBYFLOAT', lane.state, 'tag:' .. entry.flow, -refund)
  end
end

local function putInOrder(lane, entry)
  call('ZADD', lane.order, 0, placeOf(entry))
  if not call('ZSCORE', lane.flows, entry.flow) then
    call('ZADD', lane.flows, math.max(stateOf(lane, 'virtual'), stateOf(lane, 'tag:' .. entry.flow)), entry.flow)
  end
end

local function remove(lane, job)
  local entry = entryOf(lane, job)
  if not entry then
    return
  end
  comesBack(lane, entry, 0)
  call('ZREM', lane.order, placeOf(entry))
  call('HDEL', lane.jobs, job)
  countWaiting(lane, -entry.recipients, entry.flow)
  if call('HLEN', lane.jobs) == 0 then
    call('PEXPIRE', lane.state, math.ceil(math.max(0, stateOf(lane, 'tat') - now) + STATE_KEPT_MS))
  end
end

-- Some of the job's webhooks are sent; the rest will wait, or leave.
local function beginsSome(lane, job, requests, recipients)
  local entry = entryOf(lane, job)
  if not entry then
    return
  end
  local rest = math.max(0, entry.recipients - recipients)
  comesBack(lane, entry, rest)
  countWaiting(lane, rest - entry.recipients, entry.flow)
  entry.requests, entry.recipients = math.max(0, entry.requests - requests), rest
  call('HSET', lane.jobs, job, textOf(entry))
end

-- The time at which all that was sent would have been sent by the lane's rate as it is now: if the rate was another, what
-- is owed to it counts in recipients, not in time.
local function tatOf(lane, interval)
  local ahead = stateOf(lane, 'tat') - now
  local former = stateOf(lane, 'interval')
  if ahead > 0 and former > 0 and former ~= interval then
    ahead = ahead * interval / former
  end
  return now + math.max(0, ahead)
end

-- How many recipients the lane's rate allows now, as a fraction; burst: how many may go at once after a pause.
local function tokensOf(lane, interval, burst)
  return burst - (tatOf(lane, interval) - now) / interval
end

local function permitsLeft(lane, concurrency)
  call('ZREMRANGEBYSCORE', lane.permits, '-inf', now)
  return concurrency - call('ZCARD', lane.permits)
end

local function lookAt(lane, ms)
  call('ZADD', KEYS[1], 'LT', string.format('%.3f', ms), lane.name)
end

local verbs = {}

--[[
  A job waits in the first lane, and in no other.
  ARGV[4]  why: paused, circuit, rate, concurrency or busy
  ARGV[5]  milliseconds until the lane should be looked at, as far as the worker knows
  ARGV[6]  job, ARGV[7] its flow, ARGV[8] its requests, ARGV[9] its recipients
]]
function verbs.wait()
  local job, flow, requests, recipients = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
  if other then
    remove(other, job)
  end
  local entry = entryOf(one, job)
  if entry then
    comesBack(one, entry, recipients)
    countWaiting(one, recipients - entry.recipients, entry.flow)
    entry.requests, entry.recipients = requests, recipients
  else
    local number = call('HINCRBY', one.state, 'number', 1)
    entry = { number = number, requests = requests, recipients = recipients, since = now, flow = flow, job = job }
    countWaiting(one, recipients, flow)
    call('PERSIST', one.state)
  end
  call('HSET', one.jobs, job, textOf(entry))
  putInOrder(one, entry)
  call('HSET', KEYS[3], one.name, ARGV[4])
  -- By what stands here: the worker's copy may be as old as a resume is young.
  local circuit = circuitOf(one)
  if not circuit then
    lookAt(one, now + ARGV[5])
  elseif circuit.state == 'open' then
    lookAt(one, circuit.probeAtMs)
  end
end

--[[
  A worker that has slots is about to send webhooks of a job. The first lane is the campaign's, the second the
  destination's.
  ARGV[4]  job
  ARGV[5]  webhooks that it would send
  ARGV[6]  recipients of each
  ARGV[7]  milliseconds between recipients by the campaign's rate, 0: no rate; ARGV[8] its burst in recipients
  ARGV[9]  ARGV[10] the same of the destination
  ARGV[11] requests in flight at most to the destination, 0: no limit
  ARGV[12] requests of the worker in flight to the destination that hold no permit: they were sent before there was a limit
  ARGV[13] prefix of the permits' names
  ARGV[14] milliseconds after which a permit ends by itself

  Returns { how many it may send, 1 or 2: the lane in which the rest waits, why, milliseconds until more may go,
            1 if what it may send is a probe }.
]]
function verbs.admit()
  local job, wanted, cost = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
  local concurrency = tonumber(ARGV[11])
  local rates = {
    { lane = one, interval = tonumber(ARGV[7]), burst = tonumber(ARGV[8]) },
    { lane = other, interval = tonumber(ARGV[9]), burst = tonumber(ARGV[10]) },
  }
  local granted, waitsIn, why, nextIn, isProbe = wanted, 0, '', 0, 0
  local function grant(count, lane, reason, inMs)
    if count < granted then
      granted, waitsIn, why, nextIn = math.max(0, count), lane, reason, inMs
    end
  end

  if circuitOf(one) then
    grant(0, 1, 'paused', 0)
  end
  local circuit = circuitOf(other)
  if circuit and circuit.state == 'open' and call('HGET', other.state, 'probe') == job then
    isProbe = 1
    call('HDEL', other.state, 'probe')
    grant(1, 2, 'circuit', 0)
  elseif circuit then
    grant(0, 2, circuit.state == 'open' and 'circuit' or 'paused', 0)
  end

  local hasWaited = call('HEXISTS', one.jobs, job) == 1 or call('HEXISTS', other.jobs, job) == 1
  for i, rate in ipairs(rates) do
    local isLimited = rate.interval > 0 or (i == 2 and concurrency > 0)
    if isLimited and not hasWaited and call('EXISTS', rate.lane.order) == 1 then
      grant(0, i, rate.interval > 0 and 'rate' or 'concurrency', 0)
    end
    if rate.interval > 0 then
      local tokens = tokensOf(rate.lane, rate.interval, rate.burst)
      local count = math.floor(tokens / cost + 1e-6)
      -- A batch of more recipients than the burst goes when the rate has nothing against it.
      if count == 0 and cost > rate.burst and tokens >= rate.burst then
        count = 1
      end
      grant(count, i, 'rate', math.ceil((math.min(cost, rate.burst) - tokens % cost) * rate.interval))
    end
  end
  if concurrency > 0 then
    grant(permitsLeft(other, concurrency) - ARGV[12], 2, 'concurrency', PERMIT_MS)
  end

  for _, rate in ipairs(rates) do
    if rate.interval > 0 and granted > 0 then
      local tat = tatOf(rate.lane, rate.interval) + granted * cost * rate.interval
      call('HSET', rate.lane.state, 'tat', string.format('%.3f', tat), 'interval', rate.interval)
      if call('EXISTS', rate.lane.jobs) == 0 then
        call('PEXPIRE', rate.lane.state, math.ceil(tat - now + STATE_KEPT_MS))
      end
    end
  end
  if concurrency > 0 then
    local ends = string.format('%.0f', now + ARGV[14])
    for i = 1, granted do
      call('ZADD', other.permits, ends, ARGV[13] .. i)
    end
    if granted > 0 then
      call('PEXPIRE', other.permits, ARGV[14])
    end
  end
  for _, lane in ipairs({ one, other }) do
    if granted == wanted then
      remove(lane, job)
    else
      beginsSome(lane, job, granted, granted * cost)
    end
  end
  return { granted, waitsIn, why, math.max(0, nextIn), isProbe }
end

-- A worker has the job, ARGV[4], in hand, and it meets no limit: all of it will be sent.
function verbs.begin()
  for _, lane in ipairs({ one, other }) do
    local entry = entryOf(lane, ARGV[4])
    if entry then
      comesBack(lane, entry, 0)
    end
  end
end

-- The job, ARGV[4], waits in neither lane.
function verbs.leave()
  remove(one, ARGV[4])
  if other then
    remove(other, ARGV[4])
  end
end

--[[
  Requests to the destination of the first lane are answered.
  ARGV[4…] their permits
  Returns 1 if something waits for them.
]]
function verbs.giveBack()
  call('ZREM', one.permits, unpack(ARGV, 4))
  if call('EXISTS', one.order) == 0 then
    return 0
  end
  lookAt(one, now)
  return 1
end

--[[
  Releases jobs of the first lane, as far as its limits allow. The caller brings them back to the queue. If it dies before
  that, they are released again.
  ARGV[4]  requests for which the caller has room
  ARGV[5]  milliseconds between recipients by the rate, 0: no rate; ARGV[6] its burst in recipients
  ARGV[7]  requests in flight at most, 0: no limit
  ARGV[8]  jobs to release at most

  Returns { milliseconds until the lane should be looked at again, -1: never, then the jobs }.
]]
function verbs.release()
  local room, interval, burst = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local concurrency, jobsMax = tonumber(ARGV[7]), tonumber(ARGV[8])
  local reply = { -1 }

  local function lookIn(ms)
    if ms < 0 then
      call('ZREM', KEYS[1], one.name)
    else
      call('ZADD', KEYS[1], string.format('%.3f', now + ms), one.name)
    end
    reply[1] = math.ceil(ms)
    return reply
  end

  -- Out of turn, as a probe may be, it does not move the virtual time on.
  local function take(entry, place, isInTurn)
    call('ZREM', one.order, place)
    call('ZADD', one.released, string.format('%.0f', now), entry.job)
    call('HINCRBY', one.state, 'outRequests', entry.requests)
    call('HINCRBY', one.state, 'outRecipients', entry.recipients)
    local tag = tonumber(call('ZSCORE', one.flows, entry.flow))
    if isInTurn then
      call('HSET', one.state, 'virtual', math.max(tag, stateOf(one, 'virtual')))
    end
    tag = tag + entry.recipients * costOf(entry.flow)
    if firstOf(one, entry.flow) then
      call('ZADD', one.flows, tag, entry.flow)
    else
      call('ZREM', one.flows, entry.flow)
      call('HSET', one.state, 'tag:' .. entry.flow, tag)
    end
    reply[#reply + 1] = entry.job
  end

  -- The flow that is next, with its first entry. `prefers`: a flow that is wanted before others.
  local function nextEntry(prefers)
    while true do
      local flows = call('ZRANGE', one.flows, 0, prefers and -1 or 0)
      local flow = flows[1]
      for _, candidate in ipairs(flows) do
        if prefers and prefers(candidate) then
          flow = candidate
          break
        end
      end
      if not flow then
        return nil
      end
      local entry, place = firstOf(one, flow)
      if entry then
        return entry, place
      end
      -- Its entries have left meanwhile.
      if place then
        call('ZREM', one.order, place)
      else
        call('HSET', one.state, 'tag:' .. flow, call('ZSCORE', one.flows, flow))
        call('ZREM', one.flows, flow)
      end
    end
  end

  local circuit = circuitOf(one)
  if circuit and circuit.state == 'paused' then
    return lookIn(-1)
  end
  for _, job in ipairs(call('ZRANGEBYSCORE', one.released, '-inf', now - STALE_MS)) do
    local entry = entryOf(one, job)
    if entry then
      comesBack(one, entry, entry.recipients)
      putInOrder(one, entry)
    else
      call('ZREM', one.released, job)
    end
  end
  if circuit then
    -- What comes of a probe changes the circuit's time. Until then it is on its way.
    local isProbing = stateOf(one, 'probedFor') == circuit.probeAtMs
    local from = isProbing and stateOf(one, 'probingUntil') or circuit.probeAtMs
    if now < from then
      return lookIn(from - now)
    end
    local isFresh = function(flow) return not isRetry(flow) end
    local entry, place = nextEntry(isFresh)
    if not entry then
      return lookIn(-1)
    end
    take(entry, place, false)
    local ends, probedFor = string.format('%.0f', now + PROBE_MS), string.format('%.0f', circuit.probeAtMs)
    call('HSET', one.state, 'probe', entry.job, 'probingUntil', ends, 'probedFor', probedFor)
    return lookIn(PROBE_MS)
  end

  room = room - stateOf(one, 'outRequests')
  local permits = concurrency > 0 and permitsLeft(one, concurrency) - stateOf(one, 'outRequests') or math.huge
  local tokens, chunk = math.huge, 0
  if interval > 0 then
    tokens = tokensOf(one, interval, burst) - stateOf(one, 'outRecipients')
    -- A quarter of a second's worth at a time: fine enough to be steady, coarse enough to be cheap.
    chunk = math.max(1, math.min(burst, math.floor(250 / interval)))
  end
  while true do
    local entry, place = nextEntry()
    if not entry then
      return lookIn(call('EXISTS', one.released) == 1 and STALE_MS or -1)
    end
    local needed = interval > 0 and math.min(entry.recipients, chunk) or 0
    if tokens < needed then
      return lookIn((needed - tokens) * interval)
    end
    if permits <= 0 then
      return lookIn(PERMIT_MS)
    end
    if room <= 0 or #reply > jobsMax then
      return lookIn(ROOM_MS)
    end
    take(entry, place, true)
    tokens = tokens - entry.recipients
    permits = permits - entry.requests
    room = room - entry.requests
  end
end

--[[
  ARGV[4]  flows looked at, at most
  Returns the time since which the first of the first lane waits; nil if none does. Within a flow that is the one with the
  lowest number.
]]
function verbs.oldest()
  local oldest
  for _, flow in ipairs(call('ZRANGE', one.flows, 0, ARGV[4] - 1)) do
    local entry = firstOf(one, flow)
    if entry and not (oldest and oldest <= entry.since) then
      oldest = entry.since
    end
  end
  return oldest and string.format('%.0f', oldest)
end

return verbs[ARGV[1]]()
