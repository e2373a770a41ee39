-- Counts a trial and the questions that it asks, or neither: a call that is refused is repeated, and must not be
-- counted twice.
-- KEYS: the rate of trials, that of questions.
-- ARGV: trials in a second, most at once; questions in a second, how many it asks, most at once, the largest number
--       that there is.
-- Returns {'ok'}, {'trials', ms to wait} or {'questions', ms to wait}. With issue-rate.lua before it.
local wait, countTrial = weigh(KEYS[1], ARGV[1], 1, ARGV[2])
if wait > 0 then
  return { 'trials', wait }
end
local waitToAsk, countQuestions = weigh(KEYS[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if waitToAsk > 0 then
  return { 'questions', waitToAsk }
end
countTrial()
countQuestions()
return { 'ok' }
