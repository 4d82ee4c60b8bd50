--[[
  Adds what campaigns' events have grown by since they were last seen, and decides which campaigns are told apart.
  campaign-roll-up.ts has the reasons.

  KEYS[1]  seen (hash of campaign → JSON of its events)
  KEYS[2]  other (hash of event → count)
  KEYS[3]  activity (sorted set of campaigns)
  KEYS[4]  shown (sorted set of campaigns, with their scores in activity)

  ARGV[1]  campaigns that are told apart at most
  ARGV[2]  now, in half-lives since 1970
  ARGV[3]  campaigns with a score below have lost their counters
  ARGV[4]  the name of all others: a campaign of this name is never told apart
  ARGV[5]  "1" in the last call of a roll-up: campaigns may change places
  then for each campaign its id and a JSON object of its events' counts

  Returns what it could not read and has replaced, in pairs: "seen" or "other", and the campaign or the event.

  A campaign's score is the binary logarithm of its events, each weighted by 2^(its time in half-lives): scores of
  different times compare without ever being decayed, and outgrow no number.
]]
local call = redis.call
local seen, other, activity, shown = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local shownMax, now, forgotten, otherName = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
-- A campaign takes another's place where it is twice as active: else two of a kind would change places for ever.
local LEAD = 1

local function log2(value)
  return math.log(value) / math.log(2)
end

local function addedScore(score, events)
  local new = now + log2(events)
  if not score then
    return new
  end
  local high, low = math.max(score, new), math.min(score, new)
  return high + log2(1 + 2 ^ (low - high))
end

local replaced = {}
local function tell(of, name)
  replaced[#replaced + 1] = of
  replaced[#replaced + 1] = name
end

-- Counts by event; nil for a text that is something else.
local function readCounts(text)
  local isJson, counts = pcall(cjson.decode, text)
  if not isJson or type(counts) ~= 'table' then
    return nil
  end
  for event, count in pairs(counts) do
    if type(event) ~= 'string' or type(count) ~= 'number' then
      return nil
    end
  end
  return counts
end

local function addToOther(event, count)
  local added = redis.pcall('HINCRBY', other, event, string.format('%.0f', count))
  if type(added) == 'table' and added.err then
    call('HSET', other, event, string.format('%.0f', count))
    tell('other', event)
  end
end

-- What the campaign's events have grown by, and what is seen of them from now on.
local function growthOf(campaign, totals)
  local text = call('HGET', seen, campaign)
  local known, growth = readCounts(text or '{}'), {}
  if not known then
    -- What of its events is among the others is not known: from here on.
    call('HSET', seen, campaign, cjson.encode(totals))
    tell('seen', campaign)
    return growth, totals
  end
  for event, count in pairs(totals) do
    if count > (known[event] or 0) then
      growth[event] = count - (known[event] or 0)
      known[event] = count
    end
  end
  return growth, known
end

local room = shownMax - call('ZCARD', shown)
if room < 0 then
  call('ZREMRANGEBYRANK', shown, 0, -room - 1)
  room = 0
end

for at = 6, #ARGV, 2 do
  local campaign = ARGV[at]
  local totals = cjson.decode(ARGV[at + 1])
  local growth, known = growthOf(campaign, totals)
  if next(growth) then
    local isShown = call('ZSCORE', shown, campaign)
    if not isShown and room > 0 and campaign ~= otherName then
      -- Before its growth is added: where there is room for every campaign, nothing is among the others.
      isShown, room = true, room - 1
    end
    local sum = 0
    for event, count in pairs(growth) do
      sum = sum + count
      if not isShown then
        addToOther(event, count)
      end
    end
    call('HSET', seen, campaign, cjson.encode(known))
    local score = addedScore(tonumber(call('ZSCORE', activity, campaign) or nil), sum)
    call('ZADD', activity, string.format('%.17g', score), campaign)
    if isShown then
      call('ZADD', shown, string.format('%.17g', score), campaign)
    end
  end
end

if ARGV[5] ~= '1' then
  return replaced
end
for _, campaign in ipairs(call('ZRANGEBYSCORE', activity, '-inf', '(' .. ARGV[3], 'LIMIT', 0, 100)) do
  call('HDEL', seen, campaign)
  call('ZREM', activity, campaign)
  call('ZREM', shown, campaign)
end

-- The most active first: where one of them finds no place, those behind it don't either.
local candidates = shownMax > 0 and call('ZREVRANGE', activity, 0, shownMax, 'WITHSCORES') or {}
for at = 1, #candidates, 2 do
  local campaign, score = candidates[at], candidates[at + 1]
  if campaign ~= otherName and not call('ZSCORE', shown, campaign) then
    if room <= 0 then
      local weakest = call('ZRANGE', shown, 0, 0, 'WITHSCORES')
      if tonumber(score) < tonumber(weakest[2]) + LEAD then
        break
      end
      call('ZREM', shown, weakest[1])
      room = room + 1
    end
    call('ZADD', shown, score, campaign)
    room = room - 1
  end
end
return replaced
