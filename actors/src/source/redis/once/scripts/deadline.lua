-- When a lease that begins now ends, given in milliseconds, by the server's clock.
local function deadline(lease)
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + lease)
end
