// The plot of a flame graph's page.
{
  const tree = JSON.parse(document.getElementById('data').textContent);
  const percent = (samples) => `${((100 * samples) / tree[1]).toFixed(1)} %`;
  if (tree[1]) document.getElementById('flame').append(icicle(tree, percent));
}
