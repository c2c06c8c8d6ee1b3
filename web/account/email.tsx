import { useState } from 'preact/hooks'
import type { User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { EmailField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'
import { words } from './texts/words.ts'

export function EmailChange({ user }: { user: User }) {
  const [sentTo, setSentTo] = useState<string>()
  const form = useForm(['email'], async ({ email }) => {
    if (email.trim() === '') return { email: texts.fields.emailMissing }
    setSentTo(undefined)
    try {
      await client.changeEmail(email)
    } finally {
      refreshViews()
    }
    setSentTo(email)
    return undefined
  })
  return (
    <>
      <h2>{words.email.title}</h2>
      <p class="soft">{words.email.hint}</p>
      <p class="long">
        <strong>{user.email}</strong>
      </p>
      <form key={sentTo} {...form.props}>
        <EmailField label={words.email.address} autoComplete="email" error={form.errorOf('email')} />
        <Submit form={form} busy={words.email.busy}>
          {words.email.submit}
        </Submit>
      </form>
      <div role="status">{sentTo !== undefined && <p class="note long">{words.email.sent(sentTo)}</p>}</div>
    </>
  )
}
