-- The server's clock, in microseconds of Unix time.
local function micros()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end
