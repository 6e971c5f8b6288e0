-- The fence. Compares epoch and token, the first two arguments, with the record's:
-- who is not the owner any more changes nothing. Writes nothing. What it has read
-- is there for the script that follows: version and tip are in each answer.
local seen = redis.call('HMGET', KEYS[1], 'epoch', 'token', 'version', 'tip')
if seen[1] ~= ARGV[1] or seen[2] ~= ARGV[2] then
  return {'lost', seen[1] or '', seen[2] or ''}
end
