/** Who asks, as authentication found out; never what a body says. */
export interface Actor {
  tenant: string;
  user: string;
  roles: readonly string[];
  requestId: string;
}
