/** Asks a model for a price. */
export async function price(base, model, features) {
  const response = await fetch(`${base}/${model}/invocations`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ dataframe_records: [features] }),
  });
  if (!response.ok) throw new Error(`no price: ${response.status}`);
  return (await response.json()).predictions[0];
}
