"""Home Assistant's own tables of classes and units, as JSON. Runs in the chroot, with the core that it is about."""

import json

from homeassistant.components.binary_sensor import BinarySensorDeviceClass
from homeassistant.components.event import EventDeviceClass
from homeassistant.components.sensor.const import (
    DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS, SensorDeviceClass)
from homeassistant.const import EntityCategory

print(json.dumps({
    "sensor": [str(one.value) for one in SensorDeviceClass],
    "binary_sensor": [str(one.value) for one in BinarySensorDeviceClass],
    "event": [str(one.value) for one in EventDeviceClass],
    "units": {str(name.value): sorted("" if unit is None else str(unit) for unit in units)
              for name, units in DEVICE_CLASS_UNITS.items()},
    "states": {str(name.value): sorted(str(one.value) for one in states)
               for name, states in DEVICE_CLASS_STATE_CLASSES.items()},
    "categories": [str(one.value) for one in EntityCategory],
}))
