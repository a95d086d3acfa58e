"""What can be measured: quantity -> unit (UCUM and for display) and plausible range.

The range is what the quantity can be in and around a laboratory at all; limits of a method or a room are
settings, never constants here. Source of the list: T/CMA ZK 099, 5.1 c), 6.9 a) 3) and 6.11 a) to c).
"""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured quantity; `low` and `high` are in its unit."""

    name: str
    ucum: str
    unit: str
    low: Decimal
    high: Decimal
    english: str
    chinese: str


_ROWS = (
    # name, UCUM, display, low, high, English, Chinese
    ("temperature", "Cel", "°C", "-80", "200", "Temperature", "温度"),
    ("relative_humidity", "%", "%RH", "0", "100", "Relative humidity", "相对湿度"),
    ("dew_point", "Cel", "°C", "-100", "100", "Dew point", "露点"),
    ("absolute_humidity", "g/m3", "g/m³", "0", "600", "Absolute humidity", "绝对湿度"),
    ("pressure", "hPa", "hPa", "300", "1100", "Air pressure", "大气压力"),
    ("differential_pressure", "Pa", "Pa", "-5000", "5000", "Differential pressure", "压差"),
    ("illuminance", "lx", "lx", "0", "200000", "Illuminance", "照度"),
    ("sound_level", "dB[SPL]", "dB", "0", "160", "Sound level", "声级"),
    ("vibration", "mm/s", "mm/s", "0", "1000", "Vibration velocity", "振动速度"),
    ("rotational_speed", "1/min", "r/min", "0", "1000000", "Rotational speed", "转速"),
    ("acceleration", "m/s2", "m/s²", "-200", "200", "Acceleration", "加速度"),
    ("air_speed", "m/s", "m/s", "0", "100", "Air speed", "风速"),
    ("co2", "[ppm]", "ppm", "0", "100000", "Carbon dioxide", "二氧化碳"),
    ("pm2_5", "ug/m3", "µg/m³", "0", "10000", "Particulate matter PM2.5", "细颗粒物 PM2.5"),
    ("pm10", "ug/m3", "µg/m³", "0", "20000", "Particulate matter PM10", "可吸入颗粒物 PM10"),
    ("gas_concentration", "[ppm]", "ppm", "0", "1000000", "Gas concentration", "气体浓度"),
    ("flow_rate", "L/min", "L/min", "-10000", "10000", "Flow rate", "流量"),
    ("electric_field", "V/m", "V/m", "0", "100000", "Electric field strength", "电场强度"),
    ("magnetic_flux_density", "uT", "µT", "0", "10000000", "Magnetic flux density", "磁感应强度"),
    ("radiation_dose_rate", "uSv/h", "µSv/h", "0", "10000000", "Radiation dose rate", "辐射剂量率"),
    ("voltage", "V", "V", "-1000000", "1000000", "Voltage", "电压"),
    ("current", "A", "A", "-100000", "100000", "Current", "电流"),
    ("frequency", "Hz", "Hz", "0", "1000000000", "Frequency", "频率"),
    ("power", "W", "W", "-10000000", "10000000", "Power", "功率"),
    ("energy", "kW.h", "kWh", "0", "1000000000", "Energy", "电能"),
    ("data_volume", "By", "B", "0", "9000000000000000000", "Data volume", "数据量"),
    ("signal_level", "{dBm}", "dBm", "-200", "50", "Signal level", "信号强度"),
    ("signal_quality", "dB", "dB", "-100", "100", "Signal quality", "信号质量"),
    ("load", "%", "%", "0", "1000", "Load", "负载"),
    ("battery_charge", "%", "%", "0", "100", "Battery charge", "电池电量"),
    ("battery_runtime", "s", "s", "0", "10000000", "Battery runtime", "电池续航"),
    ("speed", "m/s", "m/s", "0", "200", "Speed", "速度"),
    ("course", "deg", "°", "0", "360", "Course over ground", "航向"),
    ("position", "deg", "°", "-180", "180", "Position", "位置"),
    ("distance", "m", "m", "-10000000000", "10000000000", "Distance", "距离"),
    ("position_error", "m", "m", "0", "100000", "Position error", "定位误差"),
    ("satellites", "{count}", "", "0", "200", "Satellites used", "卫星数"),
    ("duration", "s", "s", "0", "10000000000", "Duration", "时长"),
    ("count", "{count}", "", "-9000000000000000000", "9000000000000000000", "Count", "计数"),
    ("state", "{state}", "", "-1000000", "1000000", "State", "状态"),
    ("dimensionless", "1", "", "-1000000000000", "1000000000000", "Ratio", "比值"),
)

QUANTITIES = MappingProxyType(
    {
        row[0]: Quantity(row[0], row[1], row[2], Decimal(row[3]), Decimal(row[4]), row[5], row[6])
        for row in _ROWS
    }
)


def plausible(quantity: str, count: int, exponent: int) -> bool:
    """Whether `count * 10**exponent` can be a value of this quantity; an unknown quantity raises KeyError."""
    row = QUANTITIES[quantity]
    return row.low <= Decimal(count).scaleb(exponent) <= row.high
