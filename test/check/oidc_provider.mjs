// npm's oidc-provider with one client, whose secret needs encoding, and whoever signs in at its own pages.
//   node oidc_provider.mjs PORT REDIRECT_URI
import Provider from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{client_id: 'web', client_secret: 'a secret: with+signs%', redirect_uris: [redirectUri]}],
  claims: {openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'picture']},
  cookies: {keys: ['of this run']},
  pkce: {required: () => true},
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({sub: id, email: `${id}@example.com`, email_verified: true, name: 'Ada of npm'}),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('provider ready'));
