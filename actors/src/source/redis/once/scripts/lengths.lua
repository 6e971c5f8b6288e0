-- Reads how long claimed lists are, and where that is wanted when they were claimed.
-- Compares epoch and token. Writes nothing.
-- KEYS owner. ARGV epoch, token, prefix of the lists, first number, how many, then
-- the prefix of the fields for their times where these are wanted.
local first, count = tonumber(ARGV[4]), tonumber(ARGV[5])
if count > 1000 then
  return redis.error_reply('ERR expected at most 1000 lists, got ' .. ARGV[5])
end
local reply = {'ok', seen[3] or '', seen[4] or ''}
for at = 0, count - 1 do
  local number = string.format('%.0f', first + at)
  reply[#reply + 1] = string.format('%.0f', redis.call('LLEN', ARGV[3] .. number))
  if ARGV[6] then
    reply[#reply + 1] = redis.call('HMGET', KEYS[1], ARGV[6] .. number)[1] or ''
  end
end
return reply
