--[[
  Gives ids of a campaign's messages or channels their numbers: 1, 2, 3, … in the order of their coming, 0 to all that
  come when the numbers are used up. May be repeated: an id keeps its number.

  KEYS[1]  id → number (hash)
  ARGV[1]  the last number
  ARGV[2]  lifetime in milliseconds
  ARGV[…]  ids

  Returns the ids' numbers, in their order.
]]
local numbers = {}
local used = redis.call('HLEN', KEYS[1])
for i = 3, #ARGV do
  local number = redis.call('HGET', KEYS[1], ARGV[i])
  if not number then
    number = 0
    if used < tonumber(ARGV[1]) then
      used = used + 1
      number = used
      redis.call('HSET', KEYS[1], ARGV[i], number)
    end
  end
  numbers[#numbers + 1] = tonumber(number)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return numbers
