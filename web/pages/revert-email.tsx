import { client } from '../client.ts'
import { OneClick } from '../links/one-click.tsx'
import { words } from '../links/texts/words.ts'
import { Card, Shell } from '../parts/shell.tsx'

export function RevertEmail() {
  const { revert: its } = words
  return (
    <Shell title={its.title}>
      <Card>
        <OneClick
          words={its}
          intro={its.intro}
          redeem={async (token) => {
            await client.revertEmail(token)
            return its.done
          }}
          next={null}
        />
      </Card>
    </Shell>
  )
}
