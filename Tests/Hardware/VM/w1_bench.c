// A 1-Wire master with thermometers and a battery monitor on it that are made up: the kernel's own w1_therm and w1_ds2438
// read them. Parameters:
//
// present: which of the twenty thermometers there are, a bit each, and in bit 20 whether the battery monitor is; the
// master looks for them by itself (w1_master_search).
// temperature: sixteenths of a degree, as a DS18B20 measures them.
// shorted: the bus is shorted to ground, for too short a time to be searched: everything reads zero, as a "presence" does.
// wrong: so many answers have a wrong checksum.
// unconverted: conversions do nothing, so the memory is as it is after power-up.
// stall: how long the first takes to answer, in milliseconds; the bus is taken all that time.
// conversions: how many were asked for.
// vad, vdd, current_sense: what the battery monitor measures, as its registers have it: hundredths of a volt, and steps of
// 0.2441 mV. It has the thermometers' temperature.
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
static unsigned int vad = 123;
module_param(vad, uint, 0644);
static unsigned int vdd = 487;
module_param(vdd, uint, 0644);
static int current_sense = -37;
module_param(current_sense, int, 0644);

enum { DEVICES = 20, MEMORY = 9, MONITOR = DEVICES };

// Of a DS2438: commands, and of its first page the bit that chooses the supply as what is measured.
enum { RECALL = 0xB8, WRITE_SCRATCHPAD = 0x4E, COPY = 0x48, CONVERT_VOLTAGE = 0xB4, PAGES = 2, SUPPLY = 0x08 };

// What the memory holds after power-up: 85 degrees.
enum { POWER_UP = 85 * 16 };

// What goes over the bus after a reset.
static struct {
	u8 sent[24];
	unsigned int count;
	u8 memory[MEMORY];
	unsigned int next;
} bus;

static s16 measured[DEVICES] = {[0 ... DEVICES - 1] = POWER_UP};

// The battery monitor's: what it holds, and what is on the way in or out.
static u8 pages[PAGES][MEMORY - 1];
static u8 scratchpads[PAGES][MEMORY - 1];

static u64 id_of(unsigned int device)
{
	u8 id[8] = {device == MONITOR ? 0x26 : 0x28, 0x10 + device, 0x20, 0x30, 0x40, 0x50, 0x60, 0};

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
	for (device = 0; device <= MONITOR; device++)
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

static void give(const u8 *bytes)
{
	memcpy(bus.memory, bytes, MEMORY - 1);
	bus.memory[MEMORY - 1] = w1_calc_crc8(bus.memory, MEMORY - 1);
	if (wrong) {
		wrong--;
		bus.memory[MEMORY - 1] ^= 0x55;
	}
}

static void fill(int device)
{
	// Alarms of 75 and 70 degrees, 12 bits, as a new one.
	s16 now = unconverted ? POWER_UP : measured[device];
	u8 memory[MEMORY - 1] = {now, now >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10};

	give(memory);
}

// Measures, or moves a page between the memory and what goes over the bus.
static void monitor(const u8 *command, unsigned int count)
{
	u8 *first = pages[0];
	unsigned int voltage = first[0] & SUPPLY ? vdd : vad;
	u8 page = count > 1 ? command[1] : PAGES;

	if (command[0] == W1_CONVERT_TEMP && count == 1 && !unconverted) {
		// Sixteenths, in the upper bits of 1/256.
		first[1] = temperature << 4;
		first[2] = temperature >> 4;
	} else if (command[0] == CONVERT_VOLTAGE && count == 1) {
		first[3] = voltage;
		first[4] = voltage >> 8;
	}
	// The current is measured by itself, 36 times a second.
	first[5] = current_sense;
	first[6] = current_sense >> 8;
	if (page >= PAGES)
		return;
	if (command[0] == RECALL && count == 2)
		memcpy(scratchpads[page], pages[page], MEMORY - 1);
	else if (command[0] == W1_READ_SCRATCHPAD && count == 2)
		give(scratchpads[page]);
	else if (command[0] == WRITE_SCRATCHPAD && count > 2 && count < 3 + MEMORY - 1)
		scratchpads[page][count - 3] = command[count - 1];
	else if (command[0] == COPY && count == 2)
		memcpy(pages[page], scratchpads[page], MEMORY - 1);
}

static void write_byte(void *data, u8 byte)
{
	unsigned int choice = bus.count && bus.sent[0] == W1_MATCH_ROM ? 9 : 1;
	int device;

	if (bus.count == sizeof(bus.sent))
		return;
	bus.sent[bus.count++] = byte;
	if (bus.count <= choice || (choice == 1 && bus.sent[0] != W1_SKIP_ROM))
		return;
	device = chosen();
	memset(bus.memory, 0xFF, MEMORY);
	bus.next = 0;
	if (device == MONITOR && !shorted)
		monitor(bus.sent + choice, bus.count - choice);
	// What follows a thermometer's command is not made up here.
	if (device == MONITOR || bus.count != choice + 1)
		return;
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

	for (device = 0; device <= MONITOR; device++)
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
