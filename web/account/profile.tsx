import type { User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { useDraft } from '../parts/draft.ts'
import { TextArea, TextField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'

const names = ['first_name', 'last_name', 'bio', 'avatar_url'] as const

export function Profile({ user }: { user: User }) {
  const { account, fields } = texts
  const form = useForm(names, async () => {
    const changes = draft.changes()
    if (Object.keys(changes).length === 0) {
      toast(account.unchanged)
      return undefined
    }
    try {
      draft.settle(changes, await client.updateMe(changes))
      toast(account.saved)
    } finally {
      refreshViews()
    }
    return undefined
  })
  const draft = useDraft(form.props.ref, names, user)
  const field = (name: (typeof names)[number]) => ({ name, error: form.errorOf(name) })
  return (
    <>
      <h2>{account.profile}</h2>
      <form {...form.props}>
        <TextField label={fields.firstName} autoComplete="given-name" maxLength={100} {...field('first_name')} />
        <TextField label={fields.lastName} autoComplete="family-name" maxLength={100} {...field('last_name')} />
        <TextArea label={fields.bio} maxLength={500} rows={4} {...field('bio')} />
        <TextField label={fields.avatarUrl} type="url" maxLength={2048} {...field('avatar_url')} />
        <Submit form={form} busy={account.saving}>
          {account.save}
        </Submit>
      </form>
    </>
  )
}
