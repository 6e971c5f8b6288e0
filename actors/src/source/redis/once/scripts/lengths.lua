-- Reads how long claimed lists are.
-- Compares epoch and token. Writes nothing.
-- KEYS owner. ARGV epoch, token, prefix of the lists, first number, how many.
local first, count = tonumber(ARGV[4]), tonumber(ARGV[5])
if count > 1000 then
  return redis.error_reply('ERR expected at most 1000 lists, got ' .. ARGV[5])
end
local reply = {'ok', seen[3] or '', seen[4] or ''}
for at = 0, count - 1 do
  local key = ARGV[3] .. string.format('%.0f', first + at)
  reply[#reply + 1] = string.format('%.0f', redis.call('LLEN', key))
end
return reply
