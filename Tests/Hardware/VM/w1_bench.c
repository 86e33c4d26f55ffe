// A 1-Wire master with thermometers on it that are made up: the kernel's own w1_therm reads them. Parameters:
//
// present: which of the twenty there are, a bit each; the master looks for them by itself (w1_master_search).
// temperature: sixteenths of a degree, as a DS18B20 measures them.
// shorted: the bus is shorted to ground, for too short a time to be searched: everything reads zero, as a "presence" does.
// wrong: so many answers have a wrong checksum.
// unconverted: conversions do nothing, so the memory is as it is after power-up.
// stall: how long the first takes to answer, in milliseconds; the bus is taken all that time.
// conversions: how many were asked for.
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/w1.h>

static unsigned int present;
module_param(present, uint, 0644);
static int temperature = 21 * 16;
module_param(temperature, int, 0644);
static bool shorted;
module_param(shorted, bool, 0644);
static unsigned int wrong;
module_param(wrong, uint, 0644);
static bool unconverted;
module_param(unconverted, bool, 0644);
static unsigned int stall;
module_param(stall, uint, 0644);
static unsigned int conversions;
module_param(conversions, uint, 0444);

enum { DEVICES = 20, MEMORY = 9 };

// What the memory holds after power-up: 85 degrees.
enum { POWER_UP = 85 * 16 };

// What goes over the bus after a reset.
static struct {
	u8 sent[16];
	unsigned int count;
	u8 memory[MEMORY];
	unsigned int next;
} bus;

static s16 measured[DEVICES] = {[0 ... DEVICES - 1] = POWER_UP};

static u64 id_of(unsigned int device)
{
	u8 id[8] = {0x28, 0x10 + device, 0x20, 0x30, 0x40, 0x50, 0x60, 0};

	id[7] = w1_calc_crc8(id, 7);
	return le64_to_cpu(*(__le64 *)id);
}

static int chosen(void)
{
	u64 id = 0;
	unsigned int device;

	if (bus.sent[0] == W1_SKIP_ROM)
		return present ? __ffs(present) : -1;
	memcpy(&id, bus.sent + 1, 8);
	for (device = 0; device < DEVICES; device++)
		if (present & BIT(device) && le64_to_cpu(id) == id_of(device))
			return device;
	return -1;
}

static u8 reset(void *data)
{
	bus.count = 0;
	bus.next = 0;
	return shorted || present ? 0 : 1;
}

static void fill(int device)
{
	// Alarms of 75 and 70 degrees, 12 bits, as a new one.
	s16 now = unconverted ? POWER_UP : measured[device];
	u8 memory[MEMORY] = {now, now >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10, 0};

	memory[8] = w1_calc_crc8(memory, 8);
	if (wrong) {
		wrong--;
		memory[8] ^= 0x55;
	}
	memcpy(bus.memory, memory, MEMORY);
}

static void write_byte(void *data, u8 byte)
{
	unsigned int choice = bus.count && bus.sent[0] == W1_MATCH_ROM ? 9 : 1;
	int device;

	if (bus.count < sizeof(bus.sent))
		bus.sent[bus.count++] = byte;
	if (bus.count != choice + 1 || (choice == 1 && bus.sent[0] != W1_SKIP_ROM))
		return;
	device = chosen();
	memset(bus.memory, 0xFF, MEMORY);
	bus.next = 0;
	if (byte == W1_CONVERT_TEMP) {
		unsigned int one;

		conversions++;
		for (one = 0; one < DEVICES && !unconverted && !shorted; one++)
			if (bus.sent[0] == W1_SKIP_ROM || one == device)
				measured[one] = temperature;
	} else if (byte == W1_READ_SCRATCHPAD && device >= 0) {
		if (device == 0 && stall)
			msleep(stall);
		fill(device);
	}
}

static u8 read_byte(void *data)
{
	if (shorted)
		return 0;
	return bus.next < MEMORY ? bus.memory[bus.next++] : 0xFF;
}

// Supplied by a wire of its own, and done with whatever it was asked.
static u8 touch_bit(void *data, u8 bit) { return shorted ? 0 : bit; }

static void find(void *data, struct w1_master *master, u8 type, w1_slave_found_callback found)
{
	unsigned int device;

	for (device = 0; device < DEVICES; device++)
		if (type == W1_SEARCH && present & BIT(device))
			found(master, id_of(device));
}

static struct w1_bus_master master = {
	.reset_bus = reset,
	.read_byte = read_byte,
	.write_byte = write_byte,
	.touch_bit = touch_bit,
	.search = find,
};

static int __init start(void) { return w1_add_master_device(&master); }
static void __exit end(void) { w1_remove_master_device(&master); }
module_init(start);
module_exit(end);
MODULE_LICENSE("GPL");
