"""The page reader finds numbers with their time, and nothing else."""

from cli.demo.page_values import Value, read

PAGE = """<!doctype html><html lang="zh-Hans"><body><table>
<tr class="place"><th colspan="6">room-1/air</th></tr>
<tr data-point="7"><th>温度</th><td class="value number" title="20.31 °C">20.31</td><td>°C</td>
<td><time class="age" data-at="1700000000010">3 s</time></td></tr>
<tr data-point="8"><th>UPS</th><td class="value word" title="1">online</td>
<td><time class="age" data-at="1700000000020">3 s</time></td></tr>
<tr data-point="9"><th>CO2</th><td class="value absent" title="">-</td>
<td><time class="age" data-at="1700000000030">3 s</time></td></tr>
<tr data-point="10"><th>dBm</th><td class="value number" title="−53 dBm">−53</td><td>dBm</td>
<td><time class="age" data-at="1700000000040">3 s</time></td></tr>
</table></body></html>"""


def test_numbers_are_found_with_point_and_time() -> None:
    page = read(PAGE)
    assert page.language == "zh-Hans"
    assert page.values == [Value(7, "20.31", 1_700_000_000_010), Value(10, "-53", 1_700_000_000_040)]


def test_page_without_values_has_none() -> None:
    assert read("<html lang=en><p>20.31</p></html>").values == []
