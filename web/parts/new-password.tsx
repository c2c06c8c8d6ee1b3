/** A field for a new password. It shows during typing how the service will judge it. */
import { useEffect, useState } from 'preact/hooks'
import { type KnownAs, knownWords, lengthOf, minScore } from '../../src/crypto/password-rules.ts'
import type { judgeStrength } from '../../src/crypto/strength.ts'
import { loadAgain } from '../navigation.ts'
import { passwordMinLength, productName } from '../settings.ts'
import { texts } from '../texts/language.ts'
import { PasswordField } from './fields.tsx'

interface NewPasswordProps {
  name: string
  error: string | undefined
  /** What others know of the person, and so must not make up the password. May grow while the person types. */
  knownAs: () => KnownAs
}

export function NewPasswordField({ name, error, knownAs }: NewPasswordProps) {
  const [password, setPassword] = useState('')
  const [judge, setJudge] = useState<typeof judgeStrength>()
  const [isMissing, setIsMissing] = useState(false)
  const [isWanted, setIsWanted] = useState(false)

  // The strength check with its lists is 580 kB, so it is loaded when the field gets the focus.
  useEffect(() => {
    if (!isWanted) return
    import('../../src/crypto/strength.ts').then(
      ({ judgeStrength }) => setJudge(() => judgeStrength),
      // Without it there is no advice; the service still checks the password.
      () => setIsMissing(true),
    )
  }, [isWanted])

  const verdict = assess(password, judge, knownAs)
  const { score } = verdict
  const advice = verdict.advice === texts.password.judging && isMissing ? <Unjudged /> : verdict.advice
  return (
    <PasswordField
      label={texts.common.newPassword}
      name={name}
      autoComplete="new-password"
      error={error}
      onFocus={() => setIsWanted(true)}
      onInput={({ currentTarget }) => setPassword(currentTarget.value)}
      hint={
        <>
          <meter class="strength" min={0} max={4} low={2} high={3} optimum={4} value={score}>
            {score}
          </meter>
          <span aria-live="polite">{error === undefined && advice}</span>
        </>
      }
    />
  )
}

/** Loading the page again helps when there is a newer version of it. */
function Unjudged() {
  return (
    <>
      {texts.password.unjudged}{' '}
      <button type="button" class="quiet" onClick={loadAgain}>
        {texts.common.loadAgain}
      </button>
    </>
  )
}

function assess(password: string, judge: typeof judgeStrength | undefined, knownAs: () => KnownAs) {
  const { password: words } = texts
  if (lengthOf(password) < passwordMinLength) return { score: 0, advice: words.tooShort(passwordMinLength) }
  if (!judge) return { score: 0, advice: words.judging }
  const { score, advice } = judge(password.normalize('NFC'), knownWords(productName, knownAs()))
  return { score, advice: score >= minScore ? words.good : words.advice(advice) }
}
