//! The pickles of PyTorch's state dicts, read without running anything.
//!
//! A pickle is a program for a stack machine, and Python's `pickle` lets it call any
//! function. This machine builds numbers, texts, lists, dictionaries and descriptions of
//! tensors, and knows no other call; a pickle that names anything else is refused by that name. All values live in flat arenas and refer to each other by index, so
//! that sharing copies nothing, cycles and deep nesting cost nothing to drop, and memory is
//! bounded by [`MAX_STEPS`] and the bytes read, whatever the pickle claims.

use std::collections::HashMap;

use burn::tensor::DType;

/// Instructions that one file may run. A state dict takes about 40 for each tensor.
const MAX_STEPS: usize = 1_000_000;

pub(super) type Result<T> = std::result::Result<T, String>;

/// A value on the stack. The numbers are indices into the machine's arenas.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Anything that weights do not need: floats, None, devices, numpy scalars.
    Other,
    Bool(bool),
    Int(i64),
    Text(usize),
    /// A list, tuple or set.
    List(usize),
    Dict(usize),
    Class(usize),
    Storage(usize),
    Tensor(usize),
}

/// A run of elements in the file that tensors are cut from.
#[derive(Debug)]
pub(super) struct Storage {
    pub key: String,
    pub dtype: DType,
    /// Elements in the whole storage, as declared.
    pub length: usize,
    /// Where this view of it begins and ends, in elements.
    pub view: (usize, usize),
}

/// A tensor as a strided view of a storage; offset and strides count elements.
#[derive(Debug, Clone)]
pub(super) struct Strided {
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

impl Strided {
    /// How many elements of the storage, from its beginning, the tensor reaches.
    pub fn extent(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(self.offset);
        }
        let mut last = self.offset;
        for (&size, &stride) in self.shape.iter().zip(&self.stride) {
            last = last.checked_add((size - 1).checked_mul(stride)?)?;
        }
        last.checked_add(1)
    }
}

/// What the pickles of one file have built.
#[derive(Default)]
pub(super) struct Machine {
    pub texts: Vec<String>,
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    pub storages: Vec<Storage>,
    pub tensors: Vec<Strided>,
    pub classes: Vec<String>,
    steps: usize,
}

/// The bytes still to read, and the stack of one pickle.
pub(super) struct Run<'a, 'm> {
    input: &'a [u8],
    pub machine: &'m mut Machine,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl Machine {
    /// Runs the pickle at the beginning of `input`, and leaves `input` after it.
    pub fn run(&mut self, input: &mut &[u8]) -> Result<Value> {
        let mut run = Run {
            input,
            machine: self,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Default::default(),
        };
        let value = run.run()?;
        *input = run.input;
        Ok(value)
    }
}

impl<'a> Run<'a, '_> {
    fn run(&mut self) -> Result<Value> {
        loop {
            let code = self.byte()?;
            self.count(1)?;
            if code == b'.' {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    /// Counts work of `steps` instructions, which bounds time and memory.
    pub fn count(&mut self, steps: usize) -> Result<()> {
        self.machine.steps += steps;
        if self.machine.steps > MAX_STEPS {
            return Err(format!("its pickle takes more than {MAX_STEPS} instructions"));
        }
        Ok(())
    }

    fn step(&mut self, code: u8) -> Result<()> {
        let value = match code {
            0x80 => return self.take(1).map(drop), // PROTO
            0x95 => return self.take(8).map(drop), // FRAME
            // Numbers and other scalars.
            b'N' => Value::Other,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            b'I' | b'L' => match self.line()?.trim_end_matches('L') {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                text => text.parse().map_or(Value::Other, Value::Int),
            },
            0x8a => {
                let length = self.byte()?.into();
                long(self.take(length)?)
            }
            0x8b => {
                let length = self.length4()?;
                long(self.take(length)?)
            }
            b'G' => self.take(8).map(|_| Value::Other)?,
            b'F' => self.line().map(|_| Value::Other)?,
            // Texts and bytes. Python 2 wrote texts as bytes.
            b'V' | b'S' => {
                let line = self.line()?.trim_matches(['\'', '"']);
                self.text(line.as_bytes())
            }
            b'U' | 0x8c => {
                let length = self.byte()?.into();
                let bytes = self.take(length)?;
                self.text(bytes)
            }
            b'T' | b'X' => {
                let length = self.length4()?;
                let bytes = self.take(length)?;
                self.text(bytes)
            }
            0x8d => {
                let length = self.length8()?;
                let bytes = self.take(length)?;
                self.text(bytes)
            }
            b'C' => {
                let length = self.byte()?.into();
                self.take(length).map(|_| Value::Other)?
            }
            b'B' => {
                let length = self.length4()?;
                self.take(length).map(|_| Value::Other)?
            }
            0x8e | 0x96 => {
                let length = self.length8()?;
                self.take(length).map(|_| Value::Other)?
            }
            // Containers.
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(());
            }
            b')' | b']' | 0x8f => self.list(Vec::new()),
            b'}' => self.dict(Vec::new()),
            b't' | b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.list(items)
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0..code - 0x84 {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.list(items)
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = pairs(&items)?;
                self.dict(pairs)
            }
            b'a' => {
                let item = self.pop()?;
                return self.append(vec![item]);
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                return self.append(items);
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                return self.set(vec![key, value]);
            }
            b'u' => {
                let items = self.pop_mark()?;
                return self.set(items);
            }
            // The stack and the memo.
            b'0' if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
                return Ok(());
            }
            b'0' => return self.pop().map(drop),
            b'1' => return self.pop_mark().map(drop),
            b'2' => self.top()?,
            b'g' => {
                let index = self.line()?.parse().map_err(|_| "memo index is no number")?;
                self.recall(index)?
            }
            b'h' => {
                let index = self.byte()?.into();
                self.recall(index)?
            }
            b'j' => {
                let index = u32::from_le_bytes(self.array()?);
                self.recall(index)?
            }
            b'p' => {
                let index = self.line()?.parse().map_err(|_| "memo index is no number")?;
                return self.remember(index);
            }
            b'q' => {
                let index = self.byte()?.into();
                return self.remember(index);
            }
            b'r' => {
                let index = u32::from_le_bytes(self.array()?);
                return self.remember(index);
            }
            0x94 => return self.remember(self.memo.len() as u32),
            // Classes and calls.
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.class(module, name)?
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => {
                    let (name, module) =
                        (self.machine.texts[name].clone(), self.machine.texts[module].clone());
                    self.class(&module, &name)?
                }
                _ => return Err("a class without a name".to_string()),
            },
            b'R' => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                self.call(function, arguments)?
            }
            // A new object of a known class: none of them matters to weights.
            0x81 => {
                self.pop()?;
                self.pop()?;
                Value::Other
            }
            // The object stays as it is: PyTorch sets an OrderedDict's version numbers so.
            b'b' => return self.pop().map(drop),
            b'Q' => {
                let id = self.pop()?;
                self.storage(id)?
            }
            _ => return Err(format!("pickle instruction {code:#04x} is in no state dict")),
        };
        self.stack.push(value);
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.input.split_at_checked(length).ok_or("ends inside its pickle")?;
        self.input = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "ends inside its pickle".to_string())
    }

    fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn length4(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn length8(&mut self) -> Result<usize> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|e| e.to_string())
    }

    fn line(&mut self) -> Result<&'a str> {
        let end = self.input.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or("ends inside its pickle")?)?;
        self.take(1)?;
        let line = str::from_utf8(line).map_err(|_| "a pickle line is not UTF-8")?;
        Ok(line.trim_end_matches('\r'))
    }

    fn top(&self) -> Result<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(value) if self.stack.len() > floor => Ok(*value),
            _ => Err("takes a value from an empty pickle stack".to_string()),
        }
    }

    fn pop(&mut self) -> Result<Value> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or("closes a pickle container that it never opened")?;
        Ok(self.stack.split_off(mark))
    }

    fn recall(&mut self, index: u32) -> Result<Value> {
        self.memo.get(&index).copied().ok_or(format!("pickle memo {index} was never set"))
    }

    fn remember(&mut self, index: u32) -> Result<()> {
        self.memo.insert(index, self.top()?);
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Value {
        self.machine.texts.push(String::from_utf8_lossy(bytes).into_owned());
        Value::Text(self.machine.texts.len() - 1)
    }

    fn list(&mut self, items: Vec<Value>) -> Value {
        self.machine.lists.push(items);
        Value::List(self.machine.lists.len() - 1)
    }

    pub fn dict(&mut self, pairs: Vec<(Value, Value)>) -> Value {
        self.machine.dicts.push(pairs);
        Value::Dict(self.machine.dicts.len() - 1)
    }

    fn append(&mut self, items: Vec<Value>) -> Result<()> {
        match self.top()? {
            Value::List(list) => self.machine.lists[list].extend(items),
            Value::Other => {}
            _ => return Err("appends to what is no list".to_string()),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Value>) -> Result<()> {
        match self.top()? {
            Value::Dict(dict) => self.machine.dicts[dict].extend(pairs(&items)?),
            Value::Other => {}
            _ => return Err("sets an item of what is no dictionary".to_string()),
        }
        Ok(())
    }
}

fn pairs(items: &[Value]) -> Result<Vec<(Value, Value)>> {
    let (pairs, rest) = items.as_chunks();
    match rest {
        [] => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err("a dictionary's key lacks its value".to_string()),
    }
}

/// A little-endian two's complement number. One too wide for 64 bits is no size of anything.
fn long(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    match wide.get_mut(..bytes.len()) {
        Some(low) => low.copy_from_slice(bytes),
        None => return Value::Other,
    }
    Value::Int(i64::from_le_bytes(wide))
}
